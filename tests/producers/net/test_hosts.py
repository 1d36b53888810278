from producers.net import hosts
from producers.net.hosts import Hosts


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_host_is_asked_by_one_at_a_time() -> None:
    books = Hosts(Clock())

    assert books.take("a.example")
    assert not books.take("a.example")
    assert books.free_at("a.example") == float("inf")
    assert books.take("b.example")


def test_after_a_request_there_is_a_pause() -> None:
    clock = Clock()
    books = Hosts(clock)
    books.take("a.example")

    books.give_back("a.example", 2.0)

    assert books.free_at("a.example") == 1002.0
    assert not books.take("a.example")
    clock.now = 1002.0
    assert books.take("a.example")


def test_a_host_that_asks_for_time_gets_it_while_it_is_being_asked_too() -> None:
    clock = Clock()
    books = Hosts(clock)
    books.take("a.example")

    books.hold("a.example", 1060.0)
    books.give_back("a.example", 1.0)

    assert books.free_at("a.example") == 1060.0


def test_a_shorter_time_does_not_take_back_a_longer_one() -> None:
    books = Hosts(Clock())

    books.hold("a.example", 1060.0)
    books.hold("a.example", 1010.0)

    assert books.free_at("a.example") == 1060.0


def test_hosts_that_are_free_are_forgotten() -> None:
    clock = Clock()
    books = Hosts(clock)
    for number in range(10 * hosts.FORGET_FROM):
        clock.now += 1
        books.take(f"{number}.example")
        books.give_back(f"{number}.example", 1.0)
    books.hold("held.example", clock.now + 1000)

    assert len(books._free_at) <= hosts.FORGET_FROM
    assert books.free_at("held.example") == clock.now + 1000
