-- How far a file has been read by now.
INSERT INTO cursors (path, size, mtime_ns, byte, line, fingerprint, is_done, is_readable)
VALUES (:path, :size, :mtime_ns, :byte, :line, :fingerprint, :is_done, :is_readable)
ON CONFLICT (path) DO UPDATE SET
    size = excluded.size, mtime_ns = excluded.mtime_ns, byte = excluded.byte, line = excluded.line,
    fingerprint = excluded.fingerprint, is_done = excluded.is_done, is_readable = excluded.is_readable;
