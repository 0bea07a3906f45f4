-- Bodies that were kept at the end of an exchange stand in the row of its details, not in one of their own (part 1 of `bodies`,
-- where earlier versions put them): another row is another search, and rows of so many bytes fill pages of an index in a few
-- exchanges.
ALTER TABLE details ADD COLUMN segment INTEGER;
ALTER TABLE details ADD COLUMN manifest BLOB;
