"""Makes a world from a seed: the same options give the same bytes on any machine."""

import hashlib
import random
from dataclasses import dataclass
from typing import Final, TypeVar

from tests.fakegithub import sample_data
from tests.fakegithub.world import BEGINNING, Account, Repository, World, iso

KNOWN_IDS: Final = {"netflix": 913567, "google": 1342004, "microsoft": 6154722}
DAY: Final = 86_400
Item = TypeVar("Item")
# A third of the counts come from here, so that every order by count has ties to break.
COMMON_COUNTS: Final = (0, 0, 1, 1, 2, 3, 5, 8, 13, 21, 100)


@dataclass(frozen=True)
class WorldOptions:
    """The initial world; counts are for each organisation.

    repos: public ones, in addition to `private` and `internal` ones.
    concealed: number of members whose membership is not public.
    """

    orgs: tuple[str, ...] = ("Netflix",)
    repos: int = 250
    members: int = 130
    private: int = 0
    seed: int = 1
    internal: int = 0
    concealed: int = 0


def create_world(options: WorldOptions) -> World:
    """A new world with every organisation of `options`, its people and its repositories."""
    world = World()
    for login in options.orgs:
        dice = random.Random(f"{options.seed}:{login.lower()}")
        org = world.add_account(new_organisation(login, dice))
        for number in range(options.members):
            org.members.append(create_member(world, number, dice))
        hidden = options.private + options.internal
        for number, name in enumerate(repo_names(options.repos + hidden, dice)):
            world.add_repo(new_repo(world, org, name, number, dice))
        for repo in spread(org.repos, options.private):
            repo.private = True
        for repo in spread(org.public_repos(), options.internal):
            repo.private = repo.internal = True
        org.concealed = {member.id for member in spread(org.members, options.concealed)}
    give_parents(world, random.Random(f"{options.seed}:parents"))
    add_octocat(world)
    return world


def add_octocat(world: World) -> None:
    """Add the users and the repository to which the addresses in GitHub's own examples lead."""
    dice = random.Random("octocat")
    octocat, *_others = (
        world.add_account(new_user(login, number, dice))
        for number, login in enumerate(("octocat", "hubot", "other_user"), start=1)
    )
    repo = new_repo(world, octocat, "Hello-World", 0, dice)
    repo.id, repo.fork, repo.default_branch, repo.open_issues = 1_296_269, False, "main", 1347
    world.add_repo(repo)


def spread(items: list[Item], count: int) -> list[Item]:
    """`count` of them, evenly over the list, so that each page of a long list has some."""
    return [items[(2 * k + 1) * len(items) // (2 * count)] for k in range(count)]


def give_parents(world: World, dice: random.Random) -> None:
    """Give every fork a parent: a public repository of another owner, if there is one."""
    everything = [repo for account in world.accounts.values() for repo in account.repos]
    sources = [repo for repo in everything if not repo.fork and not repo.private]
    for fork in (repo for repo in everything if repo.fork):
        others = [repo for repo in sources if repo.owner is not fork.owner]
        if others or sources:
            fork.parent = dice.choice(others or sources)


def new_organisation(login: str, dice: random.Random) -> Account:
    """An organisation; its id is the real one where known, else drawn from its login."""
    digest = int(hashlib.sha256(login.lower().encode()).hexdigest()[:6], 16)
    born = BEGINNING - dice.randrange(3000, 5000) * DAY
    return Account(
        id=KNOWN_IDS.get(login.lower(), 20_000_000 + digest),
        login=login,
        kind="Organization",
        name=f"{login}, Inc.",
        created_at=iso(born),
        updated_at=iso(BEGINNING - dice.randrange(DAY, 90 * DAY)),
        description=f"{login} Open Source Platform",
        company=login,
        blog=f"https://{login.lower()}.example.com/",
        location="Los Gatos, California",
        email=f"opensource@{login.lower()}.example.com",
        followers=dice.randrange(100, 20_000),
    )


def create_member(world: World, number: int, dice: random.Random) -> Account:
    """Add a person to the world, with a few repositories; ids ascend."""
    login = free_login(world, dice)
    user = new_user(login, 100_000 + len(world.accounts) * 997 + number, dice)
    world.add_account(user)
    for index, name in enumerate(repo_names(dice.randrange(4), dice, known=False)):
        world.add_repo(new_repo(world, user, name, index, dice))
    return user


def free_login(world: World, dice: random.Random) -> str:
    """A login like a person's that nobody has yet."""
    while True:
        first, last = dice.choice(sample_data.FIRST_NAMES), dice.choice(sample_data.LAST_NAMES)
        login = dice.choice(
            (f"{first}-{last}", f"{first}{last}", f"{first[0]}{last}{dice.randrange(100)}")
        )
        if world.account(login) is None:
            return login


def new_user(login: str, number: int, dice: random.Random) -> Account:
    """A person of that login and id."""
    return Account(
        id=number,
        login=login,
        kind="User",
        name=login.replace("-", " ").title(),
        created_at=iso(BEGINNING - dice.randrange(1000, 5000) * DAY),
        updated_at=iso(BEGINNING - dice.randrange(DAY, 300 * DAY)),
        description=dice.choice(sample_data.DESCRIPTIONS),
        location=dice.choice(("Zürich", "Berlin", "Los Gatos", "東京")),
        followers=dice.randrange(500),
        following=dice.randrange(80),
        public_gists=dice.randrange(20),
    )


def repo_names(count: int, dice: random.Random, *, known: bool = True) -> list[str]:
    """`count` different names; well-known ones first if `known`, the rest drawn."""
    names = list(sample_data.KNOWN_REPOSITORIES[:count]) if known else []
    taken = {name.lower() for name in names}
    while len(names) < count:
        name = (
            f"{dice.choice(sample_data.ADJECTIVES)}-{dice.choice(sample_data.NOUNS)}"
            + dice.choice(sample_data.SUFFIXES)
        )
        if name in taken:
            name = f"{name}-{len(names)}"
        taken.add(name)
        names.append(name)
    if known:
        dice.shuffle(names)
    return names


def newest_repo_id(world: World, owner: Account) -> int:
    """The id of an owner's newest repository; the older ones' descend from it."""
    if owner.kind == "User":
        return 300_000_000 + owner.id * 100
    orgs = [account for account in world.accounts.values() if account.kind == owner.kind]
    return 700_000_000 + orgs.index(owner) * 1_000_000


def new_repo(world: World, owner: Account, name: str, age: int, dice: random.Random) -> Repository:
    """A repository, older the greater `age` is (its place in the default order); ids descend."""
    born = BEGINNING - (age + 30) * 9 * DAY - dice.randrange(8 * DAY)
    pushed = dice.randrange(born, BEGINNING - DAY)
    # Whole hours, so that some repositories were updated in the same second.
    updated = max(pushed, dice.randrange(pushed, BEGINNING) // 36_000 * 36_000)
    return Repository(
        id=newest_repo_id(world, owner) - age,
        name=name,
        owner=owner,
        created_at=iso(born),
        updated_at=iso(updated),
        pushed_at=iso(pushed),
        fork=dice.random() < 0.1,
        archived=dice.random() < 0.1,
        description=dice.choice(sample_data.DESCRIPTIONS),
        homepage=f"https://{owner.login.lower()}.example.com/{name}" if age % 3 == 0 else None,
        language=dice.choice(sample_data.LANGUAGES),
        license=dice.choice([*sample_data.LICENSES, None]),
        topics=tuple(sorted(dice.sample(sample_data.TOPICS, dice.randrange(4)))),
        stars=count(dice, 30_000),
        forks=count(dice, 6_000),
        open_issues=count(dice, 600),
        subscribers=count(dice, 900),
        size=dice.randrange(1, 90_000),
        default_branch=dice.choice(("main", "master")),
    )


def count(dice: random.Random, largest: int) -> int:
    """A count with a long tail; a third of them from a short list, so that ties are common."""
    if dice.random() < 0.35:
        return dice.choice(COMMON_COUNTS)
    return int(largest * dice.random() ** 5)
