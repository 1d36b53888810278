"""news.changes -> a SQLite file: each article as it is now, and one line for each change, each exactly once.

    python follow.py postgresql://reader:secret@db:5432/news articles.sqlite

Needs psycopg and nothing else. Ctrl-C or a crash ends it at any time; started again it goes on where it was.
"""

import sqlite3
import sys
import time
from contextlib import closing

import psycopg

#: Changes that are done in one transaction.
MOST = 500
#: A notification is a hint that may not come: look at least so often.
WAIT_SECONDS = 10.0

TABLES = """
CREATE TABLE IF NOT EXISTS position (the_one INTEGER PRIMARY KEY CHECK (the_one = 1), change INTEGER NOT NULL);
INSERT OR IGNORE INTO position VALUES (1, 0);
CREATE TABLE IF NOT EXISTS articles (
    article_id TEXT PRIMARY KEY, source TEXT, title TEXT, text TEXT, sentiment_score REAL, copy_of TEXT);
CREATE TABLE IF NOT EXISTS happened (change INTEGER PRIMARY KEY, kind TEXT, article_id TEXT, delivery_id TEXT);
"""
CHANGES = "SELECT change, kind, article_id::text, delivery_id::text FROM news.read_changes(%s, %s)"
ARTICLES = "SELECT article_id::text, source, title, text, sentiment_score, copy_of::text FROM news.articles"


def open_file(path: str) -> sqlite3.Connection:
    """The reader's own tables; transactions are begun by hand."""
    file = sqlite3.connect(path, isolation_level=None)
    file.executescript(TABLES)
    return file


def take_changes(news: psycopg.Connection, file: sqlite3.Connection) -> int:
    """Do the next changes and remember it, all or nothing; gives how many there were."""
    with file:  # commits, or undoes all of it where anything fails
        file.execute("BEGIN IMMEDIATE")  # a second reader of this file waits here
        (position,) = file.execute("SELECT change FROM position").fetchone()
        changes = news.execute(CHANGES, [position, MOST]).fetchall()
        if changes:
            # What a change is about may have changed again since: take the article as it is now. One that is not
            # there was withdrawn or erased, and a later change says so.
            about = {article_id for _, _, article_id, _ in changes}
            found = news.execute(f"{ARTICLES} WHERE article_id = ANY(%s::uuid[])", [list(about)]).fetchall()
            file.executemany("DELETE FROM articles WHERE article_id = ?", [[each] for each in about])
            file.executemany("INSERT INTO articles VALUES (?, ?, ?, ?, ?, ?)", found)
            file.executemany("INSERT INTO happened VALUES (?, ?, ?, ?)", changes)
            file.execute("UPDATE position SET change = ?", [changes[-1][0]])
    return len(changes)


def start_anew(news: psycopg.Connection, file: sqlite3.Connection) -> None:
    """Take all articles as they are, and the number of the last change that is in them: both of one moment."""
    news.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with file, news.transaction(), news.cursor("articles") as articles:  # with a name: rows come piece by piece
        file.execute("BEGIN IMMEDIATE")
        last = news.execute("SELECT last FROM news.change_range").fetchone()
        articles.execute(ARTICLES)
        file.execute("DELETE FROM articles")
        file.executemany("INSERT INTO articles VALUES (?, ?, ?, ?, ?, ?)", articles)
        # A restored database does not know these, and gives their numbers out again.
        file.execute("DELETE FROM happened WHERE change > ?", last)
        file.execute("UPDATE position SET change = ?", last)
    news.isolation_level = None


def follow(news: psycopg.Connection, file: sqlite3.Connection) -> None:
    """Do what there is, wait for more, for ever."""
    news.execute("LISTEN news_changed")  # before the first look: what comes after it is heard
    while True:
        try:
            done = take_changes(news, file)
        except psycopg.Error as error:
            if error.sqlstate not in ("NF001", "NF002"):  # no longer kept; or ahead of a database that was restored
                raise
            sys.stderr.write(f"starting anew: {error.diag.message_primary}\n")
            start_anew(news, file)
        else:
            if done < MOST:
                for _ in news.notifies(timeout=WAIT_SECONDS, stop_after=1):
                    pass


if __name__ == "__main__":
    with closing(open_file(sys.argv[2])) as own:
        while True:
            try:
                with psycopg.connect(sys.argv[1], autocommit=True) as connection:
                    follow(connection, own)
            except psycopg.OperationalError as away:
                sys.stderr.write(f"{away}\n")
                time.sleep(1)
