-- What Alembic's batch mode emits for
--   with op.batch_alter_table("note") as batch:
--       batch.alter_column("title", new_column_name="heading", nullable=False)
--       batch.drop_column("body")
--       batch.add_column(sa.Column("stars", sa.Integer(), server_default="0", nullable=False))

CREATE TABLE _alembic_tmp_note (
    id INTEGER NOT NULL, 
    heading TEXT NOT NULL, 
    folder INTEGER, 
    stars INTEGER DEFAULT '0' NOT NULL, 
    PRIMARY KEY (id), 
    FOREIGN KEY(folder) REFERENCES folder (id) ON DELETE CASCADE
);

INSERT INTO _alembic_tmp_note (id, heading, folder) SELECT note.id, note.title, note.folder 
FROM note;

DROP TABLE note;

ALTER TABLE _alembic_tmp_note RENAME TO note;
