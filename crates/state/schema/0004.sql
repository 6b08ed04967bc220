-- The blob that a layer's tar is kept in, compressed or not, where the tar can't be made again of the layer itself.
ALTER TABLE layers ADD COLUMN blob TEXT REFERENCES blobs (digest);
CREATE INDEX layers_blob ON layers (blob) WHERE blob IS NOT NULL;
