-- What Django's schema editor emits on SQLite (sqlmigrate) for
--   migrations.RenameField("note", "title", "heading"), with a constraint that makes it rebuild the table,
--   migrations.RemoveField("note", "body"), migrations.AddField("note", "stars", IntegerField(default=0))

PRAGMA foreign_keys = OFF;
BEGIN;
--
-- Alter the table
--
CREATE TABLE "new__note" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "heading" text NOT NULL, "folder" bigint NULL REFERENCES "folder" ("id") ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED, "stars" integer DEFAULT 0 NOT NULL);
INSERT INTO "new__note" ("id", "folder", "heading", "stars") SELECT "id", "folder", coalesce("title", ''), 0 FROM "note";
DROP TABLE "note";
ALTER TABLE "new__note" RENAME TO "note";
CREATE INDEX "note_folder_4e2e4c5d" ON "note" ("folder");
COMMIT;
PRAGMA foreign_keys = ON;
