-- A magazine's database, as a web framework's migrations leave one: integer keys, deferred foreign keys,
-- unique and check constraints, triggers for what is derived, and a full-text index beside it.
CREATE TABLE person(
  id integer NOT NULL PRIMARY KEY AUTOINCREMENT,
  username varchar(150) NOT NULL UNIQUE COLLATE NOCASE,
  email varchar(254) NOT NULL DEFAULT '',
  is_staff bool NOT NULL DEFAULT 0 CHECK (is_staff IN (0, 1)));
CREATE UNIQUE INDEX person_email ON person(email) WHERE email <> '';
CREATE TABLE tag(
  id integer NOT NULL PRIMARY KEY AUTOINCREMENT,
  name varchar(100) NOT NULL UNIQUE);
CREATE TABLE article(
  id integer NOT NULL PRIMARY KEY AUTOINCREMENT,
  author_id bigint NOT NULL REFERENCES person(id) DEFERRABLE INITIALLY DEFERRED,
  slug varchar(255) NOT NULL UNIQUE,
  title varchar(255) NOT NULL CHECK (length(title) > 0),
  body text NOT NULL,
  status varchar(10) NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'live')),
  published_at datetime,
  updated_at datetime,
  views integer NOT NULL DEFAULT 0 CHECK (views >= 0),
  comments integer NOT NULL DEFAULT 0,
  labels text NOT NULL DEFAULT '[]' CHECK (json_valid(labels)),
  CHECK ((status = 'live') = (published_at IS NOT NULL)));
CREATE INDEX article_author ON article(author_id);
CREATE TABLE article_tags(
  id integer NOT NULL PRIMARY KEY AUTOINCREMENT,
  article_id bigint NOT NULL REFERENCES article(id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  tag_id bigint NOT NULL REFERENCES tag(id) DEFERRABLE INITIALLY DEFERRED,
  UNIQUE (article_id, tag_id));
CREATE TABLE comment(
  id integer NOT NULL PRIMARY KEY AUTOINCREMENT,
  article_id bigint NOT NULL REFERENCES article(id) ON DELETE CASCADE,
  answers_id bigint REFERENCES comment(id) ON DELETE SET NULL,
  text text NOT NULL,
  stars integer CHECK (stars BETWEEN 1 AND 5));
CREATE INDEX comment_article ON comment(article_id);

CREATE VIRTUAL TABLE article_search USING fts5(title, body, content='article', content_rowid='id');
CREATE TRIGGER article_search_insert AFTER INSERT ON article BEGIN
  INSERT INTO article_search(rowid, title, body) VALUES (NEW.id, NEW.title, NEW.body);
END;
CREATE TRIGGER article_search_delete AFTER DELETE ON article BEGIN
  INSERT INTO article_search(article_search, rowid, title, body) VALUES ('delete', OLD.id, OLD.title, OLD.body);
END;
CREATE TRIGGER article_search_update AFTER UPDATE OF id, title, body ON article BEGIN
  INSERT INTO article_search(article_search, rowid, title, body) VALUES ('delete', OLD.id, OLD.title, OLD.body);
  INSERT INTO article_search(rowid, title, body) VALUES (NEW.id, NEW.title, NEW.body);
END;
CREATE TRIGGER article_touched AFTER UPDATE OF title, body ON article BEGIN
  UPDATE article SET updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE id = NEW.id;
END;
CREATE TRIGGER comment_counted AFTER INSERT ON comment BEGIN
  UPDATE article SET comments = comments + 1 WHERE id = NEW.article_id;
END;
CREATE TRIGGER comment_uncounted AFTER DELETE ON comment BEGIN
  UPDATE article SET comments = comments - 1 WHERE id = OLD.article_id;
END;

INSERT INTO person(username, email, is_staff) VALUES ('editor', 'editor@example.org', 1), ('guest', '', 0);
INSERT INTO tag(name) VALUES ('news'), ('sport');
INSERT INTO article(author_id, slug, title, body, status, published_at)
  VALUES (1, 'welcome', 'Welcome', 'the first article', 'live', '2026-01-01'),
         (1, 'about', 'About us', 'who we are', 'draft', NULL),
         (2, 'gone', 'To be deleted', 'by one device', 'draft', NULL);
