-- A music shop of our own, of the same kinds as Chinook: integer keys, foreign keys without an
-- action, a natural key made of references, decimal prices.
CREATE TABLE Artist (ArtistId INTEGER NOT NULL, Name NVARCHAR(120), CONSTRAINT PK_Artist PRIMARY KEY (ArtistId));
CREATE TABLE Album (
    AlbumId INTEGER NOT NULL, Title NVARCHAR(160) NOT NULL, ArtistId INTEGER NOT NULL,
    CONSTRAINT PK_Album PRIMARY KEY (AlbumId),
    FOREIGN KEY (ArtistId) REFERENCES Artist (ArtistId) ON DELETE NO ACTION ON UPDATE NO ACTION);
CREATE TABLE Genre (GenreId INTEGER NOT NULL, Name NVARCHAR(120), CONSTRAINT PK_Genre PRIMARY KEY (GenreId));
CREATE TABLE MediaType (MediaTypeId INTEGER NOT NULL, Name NVARCHAR(120), CONSTRAINT PK_MediaType PRIMARY KEY (MediaTypeId));
CREATE TABLE Track (
    TrackId INTEGER NOT NULL, Name NVARCHAR(200) NOT NULL, AlbumId INTEGER, MediaTypeId INTEGER NOT NULL,
    GenreId INTEGER, Composer NVARCHAR(220), Milliseconds INTEGER NOT NULL, Bytes INTEGER, UnitPrice NUMERIC(10,2) NOT NULL,
    CONSTRAINT PK_Track PRIMARY KEY (TrackId),
    FOREIGN KEY (AlbumId) REFERENCES Album (AlbumId) ON DELETE NO ACTION ON UPDATE NO ACTION,
    FOREIGN KEY (GenreId) REFERENCES Genre (GenreId) ON DELETE NO ACTION ON UPDATE NO ACTION,
    FOREIGN KEY (MediaTypeId) REFERENCES MediaType (MediaTypeId) ON DELETE NO ACTION ON UPDATE NO ACTION);
CREATE TABLE Employee (
    EmployeeId INTEGER NOT NULL, LastName NVARCHAR(20) NOT NULL, ReportsTo INTEGER,
    CONSTRAINT PK_Employee PRIMARY KEY (EmployeeId),
    FOREIGN KEY (ReportsTo) REFERENCES Employee (EmployeeId) ON DELETE NO ACTION ON UPDATE NO ACTION);
CREATE TABLE Invoice (
    InvoiceId INTEGER NOT NULL, InvoiceDate DATETIME NOT NULL, Total NUMERIC(10,2) NOT NULL,
    CONSTRAINT PK_Invoice PRIMARY KEY (InvoiceId));
CREATE TABLE InvoiceLine (
    InvoiceLineId INTEGER NOT NULL, InvoiceId INTEGER NOT NULL, TrackId INTEGER NOT NULL,
    UnitPrice NUMERIC(10,2) NOT NULL, Quantity INTEGER NOT NULL,
    CONSTRAINT PK_InvoiceLine PRIMARY KEY (InvoiceLineId),
    FOREIGN KEY (InvoiceId) REFERENCES Invoice (InvoiceId) ON DELETE NO ACTION ON UPDATE NO ACTION,
    FOREIGN KEY (TrackId) REFERENCES Track (TrackId) ON DELETE NO ACTION ON UPDATE NO ACTION);
CREATE TABLE Playlist (PlaylistId INTEGER NOT NULL, Name NVARCHAR(120), CONSTRAINT PK_Playlist PRIMARY KEY (PlaylistId));
CREATE TABLE PlaylistTrack (
    PlaylistId INTEGER NOT NULL, TrackId INTEGER NOT NULL,
    CONSTRAINT PK_PlaylistTrack PRIMARY KEY (PlaylistId, TrackId),
    FOREIGN KEY (PlaylistId) REFERENCES Playlist (PlaylistId) ON DELETE NO ACTION ON UPDATE NO ACTION,
    FOREIGN KEY (TrackId) REFERENCES Track (TrackId) ON DELETE NO ACTION ON UPDATE NO ACTION);
CREATE INDEX IFK_AlbumArtistId ON Album (ArtistId);
CREATE INDEX IFK_TrackAlbumId ON Track (AlbumId);

CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3500) SELECT i FROM n;
INSERT INTO Artist SELECT i, 'Artist ' || i FROM n WHERE i <= 275;
INSERT INTO Album SELECT i, 'Album ' || i, (i * 7) % 200 + 1 FROM n WHERE i <= 347;
INSERT INTO Genre SELECT i, 'Genre ' || i FROM n WHERE i <= 25;
INSERT INTO MediaType SELECT i, 'Media ' || i FROM n WHERE i <= 5;
INSERT INTO Track SELECT i, 'Track ' || i, i % 347 + 1, i % 5 + 1, i % 25 + 1, iif(i % 3, 'Composer ' || i % 50, NULL), 200000 + i, 6000000 + i, 0.99 FROM n;
INSERT INTO Employee VALUES (1, 'Adams', NULL), (2, 'Edwards', 1), (3, 'Peacock', 2);
INSERT INTO Invoice SELECT i, '2009-01-01 00:00:00', 1.98 FROM n WHERE i <= 412;
INSERT INTO InvoiceLine SELECT i, i % 412 + 1, i % 3500 + 1, 0.99, 1 FROM n WHERE i <= 2240;
INSERT INTO Playlist SELECT i, 'Playlist ' || i FROM n WHERE i <= 18;
INSERT INTO PlaylistTrack SELECT i % 17 + 1, i FROM n;
DROP TABLE temp.n;
