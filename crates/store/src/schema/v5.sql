-- What is told of an exchange at its end, by its place in the order of ending: the table only ever grows at its end. Earlier
-- versions put it into `details`, by the number that the exchange got when it began, in between what was there: of rows that
-- nearly fill a page, others had to be moved for each.
CREATE TABLE endings (
  closed   INTEGER PRIMARY KEY,
  detail   BLOB NOT NULL,
  segment  INTEGER,
  manifest BLOB
);

-- Manifests and arrivals are written shorter from here on (parts/manifest.rs, differences/arrivals.rs); both ways are read.
