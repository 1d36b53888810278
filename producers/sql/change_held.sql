-- Records and bytes that came or went.
UPDATE held SET records = records + :records, bytes = bytes + :bytes WHERE id = 1;
