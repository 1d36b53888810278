-- How far a file has been read.
SELECT size, mtime_ns, byte, line, fingerprint, is_done, is_readable FROM cursors WHERE path = :path;
