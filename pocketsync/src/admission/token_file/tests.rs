use super::*;

const DIGEST: &str = "sha256 = \"0000000000000000000000000000000000000000000000000000000000000001\"";
const REST: &str = "scopes = [\"*\"]\nrights = [\"read\"]";

fn entry(name: &str, digest: &str, rest: &str) -> String {
    format!("[[token]]\nname = \"{name}\"\n{digest}\n{rest}\n")
}

#[test]
fn an_entry_says_who_where_and_what() {
    let text = entry(
        "phone",
        DIGEST,
        "scopes = [\"notes\", \"team-*\"]\nrights = [\"write\"]\nexpires = 2027-01-31",
    );
    let entries = parse_tokens(&text).unwrap();
    assert_eq!(entries[0].name, "phone");
    assert_eq!(entries[0].rights, Rights { read: false, write: true, relay: true });
    assert_eq!((entries[0].scopes.len(), &entries[0].write_tables), (2, &None));
    assert!(entries[0].expires_at_ms.is_some());
    assert_eq!(parse_tokens("# nobody yet\n"), Ok(vec![]));
}

#[test]
fn what_makes_no_sense_is_said() {
    let other = "sha256 = \"0000000000000000000000000000000000000000000000000000000000000002\"";
    for (text, says) in [
        ("[[token]]\n".to_owned(), "missing field `name`"),
        (entry("a", DIGEST, REST) + "expire = 2027-01-31\n", "unknown field `expire`"),
        (entry("a", "sha256 = \"secret\"", REST), "the token `a`: a SHA-256 is 64 hexadecimal digits"),
        (entry("a", DIGEST, "scopes = []\nrights = [\"read\"]"), "no scopes"),
        (entry("a", DIGEST, "scopes = [\"*\"]\nrights = []"), "no rights"),
        (entry("a", DIGEST, "scopes = [\"*\"]\nrights = [\"all\"]"), "unknown variant `all`"),
        (entry("a", DIGEST, "scopes = [\"\"]\nrights = [\"read\"]"), "matches no scope"),
        (entry(" ", DIGEST, REST), "the name is empty"),
        (entry("a", DIGEST, REST) + &entry("a", other, REST), "two tokens have the name `a`"),
        (entry("a", DIGEST, REST) + &entry("b", DIGEST, REST), "`a` and `b` are the same token"),
        (entry("a", DIGEST, REST) + "identity = \" \"\n", "the identity is empty"),
        (entry("a", DIGEST, REST) + "write_tables = [\"note\"]\n", "for who may write"),
        (entry("a", DIGEST, "scopes = [\"*\"]\nrights = [\"write\"]\nwrite_tables = []"), "names no table"),
        ("[[token]]\nname = ".to_owned(), "line 2"),
    ] {
        let error = parse_tokens(&text).unwrap_err();
        assert!(error.contains(says), "{text}\n{error}");
    }
}

#[test]
fn an_entry_is_written_as_it_is_read() {
    let scopes = ["notes", "team-*", "the \"one\""].map(|pattern| pattern.parse().unwrap()).to_vec();
    let rights = Rights { read: true, write: true, relay: true };
    let mut entry = TokenEntry::new("the phone's \"first\"", TokenDigest::of("secret"), scopes, rights);
    for expires_at_ms in [None, Some(1_801_396_800_000)] {
        entry.expires_at_ms = expires_at_ms;
        if expires_at_ms.is_some() {
            entry.identity = Some("alice".to_owned());
            entry.write_tables = Some(["note".to_owned(), "to do".to_owned()].into());
            entry.rights.relay = false;
        }
        assert_eq!(parse_tokens(&entry.to_string()), Ok(vec![entry.clone()]), "{entry}");
    }
}
