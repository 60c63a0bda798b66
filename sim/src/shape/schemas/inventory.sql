-- Goods in warehouses: a unique number that people read off a label, a count that may not be negative.
CREATE TABLE products (
  id INTEGER PRIMARY KEY,
  origin TEXT NOT NULL,
  sku TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  price REAL
);
CREATE TABLE warehouses (
  code TEXT PRIMARY KEY NOT NULL,
  address TEXT
);
CREATE TABLE stock (
  warehouse TEXT NOT NULL REFERENCES warehouses (code) ON UPDATE CASCADE,
  product_id INTEGER NOT NULL REFERENCES products (id),
  quantity INTEGER NOT NULL DEFAULT 0 CHECK (quantity >= 0),
  low INTEGER NOT NULL DEFAULT 1,
  high INTEGER NOT NULL DEFAULT 10,
  counted_by TEXT,
  PRIMARY KEY (warehouse, product_id),
  CHECK (low < high)
);
CREATE TABLE moves (
  id INTEGER PRIMARY KEY,
  origin TEXT NOT NULL,
  product_id INTEGER NOT NULL REFERENCES products (id) ON DELETE RESTRICT,
  warehouse TEXT REFERENCES warehouses (code) ON UPDATE CASCADE ON DELETE SET NULL,
  amount INTEGER NOT NULL,
  photo BLOB
);
