"""The editorial desk of one device: writes a magazine's database with plain SQL, and notes what was committed.

usage: magazine.py FILE DEVICE SECONDS NOTES
"""

import json
import random
import sqlite3
import sys
import time

file, device, seconds, notes = sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4]
random.seed(device)
db = sqlite3.connect(file, timeout=60, isolation_level=None)
db.execute("PRAGMA foreign_keys = ON")
note_file = open(notes, "a")
SHARED = ["welcome", "about"]
WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"]
own = []


def transaction(statements, **note):
    """Runs and notes it; what a constraint refuses is taken back, as an application would."""
    db.execute("BEGIN IMMEDIATE")
    try:
        done = statements()
        db.execute("COMMIT")
    except sqlite3.IntegrityError:
        db.execute("ROLLBACK")
        return False
    if done is not False:
        note_file.write(json.dumps(note) + "\n")
        note_file.flush()
    return done is not False


def changed(sql, *values):
    """Whether a statement found its row, which another device may have deleted."""
    return db.execute(sql, values).rowcount > 0


def sign_up(n):
    """A person under a name that others take as well, and this one's first article."""
    name, slug = f"person {n % 25}", f"by-{device}-{n}"

    def statements():
        # Elsewhere it is written in another case.
        spelled = name.upper() if device in "BD" else name
        db.execute("INSERT INTO person(username, email) VALUES (?, ?)", (spelled, f"{name}@example.org"))
        db.execute(
            "INSERT INTO article(author_id, slug, title, body) SELECT id, ?, ?, ? FROM person WHERE username = ?",
            (slug, f"Title {slug}", " ".join(random.sample(WORDS, 3)), name),
        )

    if transaction(statements, did="article", slug=slug, author=name):
        own.append(slug)


def write(n):
    slug = f"by-{device}-{n}"
    author = "SELECT id, ?, ?, ? FROM person ORDER BY id LIMIT 1"
    values = (slug, f"Title {slug}", " ".join(random.sample(WORDS, 3)))
    sql = f"INSERT INTO article(author_id, slug, title, body) {author}"
    if transaction(lambda: changed(sql, *values), did="article", slug=slug, author="editor"):
        own.append(slug)


def edit(n):
    if own:
        slug, body = random.choice(own), f"{' '.join(random.sample(WORDS, 2))} {device}{n}"
        transaction(lambda: changed("UPDATE article SET body = ? WHERE slug = ?", body, slug), did="body", slug=slug, body=body)


def view(n):
    slug = random.choice(SHARED + own)
    transaction(lambda: changed("UPDATE article SET views = views + 1 WHERE slug = ?", slug), did="view", slug=slug)


def label(n):
    slug, word = random.choice(SHARED), f"{device}{n}"
    sql = "UPDATE article SET labels = json_insert(labels, '$[#]', ?) WHERE slug = ?"
    transaction(lambda: changed(sql, word, slug), did="label", slug=slug, label=word)


def tag(n):
    slug, name = random.choice(SHARED + own), random.choice(WORDS)

    def statements():
        db.execute("INSERT OR IGNORE INTO tag(name) VALUES (?)", (name,))
        return changed(
            "INSERT OR IGNORE INTO article_tags(article_id, tag_id) "
            "SELECT article.id, tag.id FROM article, tag WHERE slug = ? AND name = ?", slug, name,
        )

    transaction(statements, did="tag", slug=slug, tag=name)


def comment(n):
    slug, text = random.choice(SHARED + ["gone"] + own), f"comment {device}{n}"
    sql = """INSERT INTO comment(article_id, answers_id, text, stars)
             SELECT id, (SELECT max(id) FROM comment WHERE article_id = article.id), ?, ? FROM article WHERE slug = ?"""
    transaction(lambda: changed(sql, text, n % 5 + 1, slug), did="comment", slug=slug, text=text)


def withdraw(n):
    """A comment of its own: each is withdrawn by one device alone."""
    found = db.execute("SELECT text FROM comment WHERE text LIKE ? ORDER BY random() LIMIT 1", (f"comment {device}%",)).fetchone()
    if found:
        transaction(lambda: changed("DELETE FROM comment WHERE text = ?", found[0]), did="withdraw", text=found[0])


def publish(n):
    slug, live = random.choice(SHARED + own), n % 2 == 0
    sql = "UPDATE article SET status = ?, published_at = ? WHERE slug = ?"
    values = ("live", f"2026-01-{n % 28 + 1:02}", slug) if live else ("draft", None, slug)
    transaction(lambda: changed(sql, *values), did="publish", slug=slug)


WORK = [sign_up, write, edit, edit, view, view, view, label, tag, tag, comment, comment, withdraw, publish]
end = time.monotonic() + seconds
n = 0
while time.monotonic() < end:
    n += 1
    random.choice(WORK)(n)
    if device == "D" and n == 40:
        transaction(lambda: changed("DELETE FROM article WHERE slug = 'gone'"), did="delete", slug="gone")
    time.sleep(0.008)
