from producers.formats import bylines


def test_a_name_has_nothing_in_it_that_no_text_can_hold() -> None:
    assert bylines.byline_of(["Ana Si\ud800lva"]) == "Ana Si\ufffdlva"
