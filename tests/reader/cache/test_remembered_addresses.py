from hypothesis import given
from hypothesis import strategies as st

from reader.cache.remembered_addresses import MOST, RememberedAddresses

FEW = [f"http://{number}.test" for number in range(MOST)]


def used(*pairs: tuple[str, float]) -> RememberedAddresses:
    addresses = RememberedAddresses()
    for address, now in pairs:
        addresses.use(address, now)
    return addresses


def test_the_first_few_are_remembered_at_once() -> None:
    addresses = RememberedAddresses()
    for address in FEW:
        assert address not in addresses
        assert addresses.use(address, 0.0) is None
        assert address in addresses
    assert addresses.use("http://more.test", 0.0) is None
    assert "http://more.test" not in addresses


@given(st.lists(st.tuples(st.integers(0, 60), st.floats(0, 500)), max_size=300))
def test_there_are_never_more(uses: list[tuple[int, float]]) -> None:
    addresses = RememberedAddresses()
    for number, now in uses:
        displaced = addresses.use(f"http://{number}.test", now)
        assert displaced is None or displaced not in addresses
        assert sum(f"http://{one}.test" in addresses for one in range(61)) <= MOST
        assert len(addresses._uses) <= MOST + 33


def test_a_flood_of_new_ones_displaces_none_that_is_in_use() -> None:
    addresses = RememberedAddresses()
    for second in range(120):
        for address in FEW:
            assert addresses.use(address, second) is None
        for number in range(50):
            assert addresses.use(f"http://flood-{second}-{number}.test", second) is None
            assert addresses.use("http://flood.test", second) is None
    assert all(address in addresses for address in FEW)


def test_one_that_is_used_displaces_one_that_is_used_no_more() -> None:
    addresses = used(*((address, 0.0) for address in FEW for _ in range(1000)))
    displaced = [addresses.use("http://new.test", second) for second in range(1, 10)]
    assert set(displaced) - {None} <= set(FEW)
    assert len(set(displaced) - {None}) == 1
    assert "http://new.test" in addresses


def test_many_requests_in_a_second_count_as_one() -> None:
    addresses = used(*((address, second) for second in range(20) for address in FEW))
    for _ in range(10_000):
        assert addresses.use("http://loud.test", 20.0) is None
    assert "http://loud.test" not in addresses


def test_those_before_four_junk_addresses_get_their_place_back() -> None:
    """Whoever is first with four addresses, and uses them seldom, keeps nobody out."""
    junk = [f"http://junk-{number}.test" for number in range(MOST)]
    addresses = RememberedAddresses()
    for second in range(120):
        if second % 30 == 0:
            for address in junk:
                addresses.use(address, second)
        if second > 0:
            addresses.use("http://good.test", second)
    assert "http://good.test" in addresses
