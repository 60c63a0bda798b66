-- A Room migration as its documentation writes it, and as an auto-migration generates it:
--   database.execSQL(...) for each statement, in a transaction that Room opens.

CREATE TABLE IF NOT EXISTS `_new_note` (`id` INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, `heading` TEXT NOT NULL, `folder` INTEGER, `stars` INTEGER NOT NULL DEFAULT 0, FOREIGN KEY(`folder`) REFERENCES `folder`(`id`) ON UPDATE NO ACTION ON DELETE CASCADE );
INSERT INTO `_new_note` (`id`,`heading`,`folder`) SELECT `id`,`title`,`folder` FROM `note`;
DROP TABLE `note`;
ALTER TABLE `_new_note` RENAME TO `note`;
CREATE INDEX IF NOT EXISTS `index_note_folder` ON `note` (`folder`);
PRAGMA foreign_key_check(`note`);
