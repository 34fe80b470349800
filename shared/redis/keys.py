"""How every Redis key of ours is spelled; no other module holds the prefix.

The prefix carries the number of the schema (`shared.stored_form`): processes of an older or a newer
schema see other keys, so both can run side by side during a deployment, and each fills its own.

===================  ======  =============  ==========  =======================================
key                  type    expires        written by  meaning
===================  ======  =============  ==========  =======================================
entry:{id}           hash    tracked:       refresher   a stored representation, see `entry`
                             see `tracked`;
                             else
                             ON_DEMAND_KEEP
pages:{id}           hash    as its entry   refresher   GitHub's pages, one field a page
segments:{id}        hash    as its entry    refresher   bodies of a list's segments, by their names
reading:{id}         hash    CACHE_TTL      refresher   pages of a list that is being read, or whose
                                                        reading was interrupted
failure:{id}         string  a day; else as refresher   why the last refresh failed, in JSON
                             its entry
suspicion:{id}       string  a day          refresher   a list that lost much, and is not believed
                                                        yet, in JSON, see `suspicion`
fence:{id}           string  longer than a  refresher   the newest fencing token handed out
                             refresh takes
changes              string  never          refresher   grows by one with every announcement
announce             channel                both        "check this resource again", or the scopes
                                                        that an event has touched
events               zset    as on-demand   reader      scopes that GitHub's events have touched,
                             entries                    by the time, see `event_record`
withdrawn            hash    30 days        both        repositories that are no longer public, by
                                                        full name and by id, each with the time of
                                                        the event and its `updated_at`, see
                                                        `withdrawals`
withdrawn:revision   string  never          both        changes with each change of them
withdrawn:shown      hash    an hour        refresher   those that GitHub shows again, with the time
feed                 stream  never; about   refresher   stored changes of tracked content, see
                             CHANGES_KEPT               `changes`
feed:on-demand       stream  likewise       refresher   stored changes of content on demand
budget:{credential}: hash    2 hours        refresher   limit, remaining, reset, guessed,
{class}                                                 time of recording
set-aside:           hash    when it ends   refresher   time until which a refused credential is
{credential}                                            not used, time of recording, GitHub's reason
refused:             hash    a day; 500     refresher   places in which GitHub refuses a credential
{credential}                 at the most                (an owner, or an operation on what belongs
                                                        to it), each with `at until message`
classes              hash    never          refresher   class of rate limit by shape of address,
                                                        if it is not "core"
app-token:{id}       string  with the token refresher   a GitHub App's token, encrypted with a key
                                                        that is derived from the App's private key
app-renewal:{id}     string  ORIGIN_        refresher   a process is fetching the next token, or
                             DEADLINE                   could not get it a moment ago
points               hash    2 minutes      refresher   requests that may be sent to GitHub now,
                                                        see `point_buckets`
in-flight            zset    an hour        refresher   current requests, by their deadline
paused               hash    when it ends   refresher   `hold`: no refresher sends requests to
                                                        GitHub until then; `until`: what GitHub
                                                        asked for; `at`: time of recording; `probe`:
                                                        id of the request that was let through
pauses               string  an hour        refresher   number of consecutive pauses
redlock:...lock:{id} string  LOCK_TTL       refresher   pottery's lock (it adds `redlock:`); on the
                                                        masters in REDLOCK_URLS, if that is set
running:{id}         string  LOCK_TTL       refresher   a refresher holds that lock, or (value
                                                        `taken`) has taken a job of the resource;
                                                        for processes that only observe it
large                set     never          refresher   ids of lists with many pages
invalidated:{id}     string  a day          reader      mark of the invalidations (webhook or
                                                        operator) that no refresh has handled
invalidated:{id}:    zset    a day          both        items of a list that events have named, with
items                                                   the time, until the last look; 0: any item
invalidated:{id}:    string  a day          both        time of the latest event, and of the next
looks                                                   look, see `looks`; only counts with a mark
invalidated:{id}:    zset    a minute       refresher   entity tags of contents that a look has
replaced                                                replaced, by the time until which GitHub may
                                                        still show them
looks                zset    never          both        tracked resources that are looked at again
                                                        (`{id} {name}`), by the time of the next
                                                        look
drift                list    7 days; 20     refresher   the last drift that was found, see `drift`
                             at the most
drift:doubts         hash    7 days; 50     refresher   pages that differ from GitHub's, and may
                             at the most                only be older
drift:turn           string  until the      refresher   a page is compared, or was a moment ago;
                             next check                 or in JSON why not, see `drift`
delivery:{id}        string  3 days         reader      a webhook delivery that was accepted
deliveries           hash    30 days        reader      time of the last delivery of each event
redelivery           string  REDELIVERY_    refresher   a refresher looks for lost deliveries,
                             INTERVAL                   or did so less than that ago
redelivery:report    string  a day          refresher   what it found, in JSON, see
                                                        `lost_deliveries`
redelivery:hook:     string  4 days         refresher   how far the deliveries of a webhook were
{path}                                                  read, in JSON
redelivery:lost:     hash    4 days;        refresher   its lost deliveries, in JSON, by their ids
{path}                       1,000 at most
redelivery:wait:     string  as GitHub      refresher   GitHub asked for a pause, until this time;
{source}                     asks; an hour              time of recording
asked:{id}           string  a second, or   both        the resource was refreshed or requested a
                             as `put_off`               moment ago: further requests are dropped
queued:{id}          string  an hour        both        id of the job that was enqueued last
order:{lane}:        zset    never          both        queued jobs of a lane and priority, in the
{priority}                                              order in which refreshers take them
places               hash    never          both        of each queued job: lane, priority, time of
                                                        the request, time until which clients wait
turns:{lane}         zset    never          both        the last turn of each client that waits, and
                                                        the present turn
turns:{lane}:count   string  an hour        both        jobs that got a turn
bell:{lane}          list    never          both        one element while the lane holds a job
picks:{lane}         string  never          refresher   attempts to take a job from the lane
waits:{client}       zset    MISS_WAIT      both        resources that a client waits for, by the
                                                        time until which it does
pace                 hash    10 minutes     refresher   `slots`: most on-demand refreshes of a
                                                        refresher; `seconds`: duration of one
ahead:{id}           string  soon after     refresher   the `fresh_until` for which a scheduler
                             that time                  has requested a refresh ahead
forgotten:{id}       string  a day          refresher   an operator removed the resource: versions
                                                        up to this one must not be served
suspended            string  never          reader      time at which an operator paused
                                                        refreshing (`rq:suspended` says whether)
resumed              string  2 hours        reader      time at which an operator ended all pauses
                                                        and failures from before it
refresher:{name}     hash    10 minutes     refresher   what a refresher says of itself: `slots`,
                                                        most refreshes at the same time;
                                                        `running:{lane}`, those at work; `skew`,
                                                        seconds that its clock is ahead of Redis's
measures             hash    never          refresher   counters of refreshers, see `measures`
origin               hash    never          refresher   GitHub's last response: status and time
origin-open          string  an hour, or    refresher   whether an enterprise server shows anything
                             5 minutes                  without a credential
record:{id}          hash    30 days, else  refresher   results of its refreshes, see
                                                        `refresh_report`
                             as its entry
progress:{id}        string  a minute       refresher   page that is being read, and their number
timeline:{kind}      list    never; 100     refresher   reports of refreshes, the newest first
                             at the most
budgets              zset    never          refresher   the existing `budget:` keys, by last use
budget-history:      hash    7 hours        refresher   a ring of former values of `remaining`
{credential}:{class}
credential:{id}      hash    a day          refresher   what GitHub says about a credential
privileges:{id}      hash    a day          refresher   evidence that a credential sees more than
                                                        the public, with the time of each
unknown-fields       hash    a week; 500    refresher   keys of GitHub's responses that no public
                             at the most                shape has, with the time of each
readers              zset    never          reader      ids of reader processes, by last heartbeat
reader:{id}          string  20 seconds     reader      report of a reader process, in JSON
session:{digest}     string  12 hours, or   reader      proof of a session on the status page, by a
                             signing out                digest of its cookie
guesses:{minute}     string  3 minutes      reader      wrong ADMIN_TOKENs in that minute
popular:{slot}       zset    an hour        reader      on-demand names by number of requests
spent:{kind}:{slot}  zset    70 minutes     refresher   requests to GitHub in ten minutes, by path
                                                        or client, see `spending`
tracked              zset    never          refresher   ids of tracked resources, by the time at
                                                        which a refresher that tracks each was last
                                                        running; a day later it is removed
kept                 zset    never          refresher   ids of on-demand entries, by their expiry
kept-sizes           hash    never          refresher   bytes of each of them, and their `total`
mended               list    7 days; 20     refresher   damaged values that were removed, see
                             at the most                `mended`
mending              string  a minute       refresher   a refresher looks for damaged values, or
                                                        did so a moment ago
clock                string  never          refresher   Redis's time, a second ago at the most, see
                                                        `set_back_clock`
clock:turn           string  10 seconds     refresher   a refresher shortens the lives of keys
                                                        because it was set back
holds                hash    a day; 1000    reader      what holds something back, since when, as it
                             at the most                was logged, in JSON, see `hold_journal`
holds:turn           string  5 seconds      reader      a reader process looks for changes of these,
                                                        or did so a moment ago
===================  ======  =============  ==========  =======================================

`{id}` is `Resource.id`, or the id of a credential or of a reader process. RQ has keys of its own
(`rq:...`).
"""

from shared.resources.resource import Resource
from shared.stored_form import SCHEMA

PREFIX = f"api-read-cache:{SCHEMA}"

PAUSE = f"{PREFIX}:paused"
PAUSES = f"{PREFIX}:pauses"
POINTS = f"{PREFIX}:points"
CLASSES = f"{PREFIX}:classes"
LARGE = f"{PREFIX}:large"
IN_FLIGHT = f"{PREFIX}:in-flight"
CHANGES = f"{PREFIX}:changes"
ANNOUNCE = f"{PREFIX}:announce"
EVENTS = f"{PREFIX}:events"
WITHDRAWN = f"{PREFIX}:withdrawn"
WITHDRAWN_REVISION = f"{PREFIX}:withdrawn:revision"
SHOWN_AGAIN = f"{PREFIX}:withdrawn:shown"
DELIVERIES = f"{PREFIX}:deliveries"
REDELIVERY = f"{PREFIX}:redelivery"
REDELIVERY_REPORT = f"{PREFIX}:redelivery:report"
FEED = f"{PREFIX}:feed"
FEED_ON_DEMAND = f"{PREFIX}:feed:on-demand"
SUSPENDED = f"{PREFIX}:suspended"
RESUMED = f"{PREFIX}:resumed"
MEASURES = f"{PREFIX}:measures"
ORIGIN = f"{PREFIX}:origin"
ORIGIN_OPEN = f"{PREFIX}:origin-open"
BUDGETS = f"{PREFIX}:budgets"
READERS = f"{PREFIX}:readers"
LOOKS = f"{PREFIX}:looks"
DRIFT = f"{PREFIX}:drift"
DRIFT_DOUBTS = f"{PREFIX}:drift:doubts"
DRIFT_TURN = f"{PREFIX}:drift:turn"
UNKNOWN_FIELDS = f"{PREFIX}:unknown-fields"
TRACKED = f"{PREFIX}:tracked"
KEPT = f"{PREFIX}:kept"
KEPT_SIZES = f"{PREFIX}:kept-sizes"
MENDED = f"{PREFIX}:mended"
MENDING = f"{PREFIX}:mending"
CLOCK = f"{PREFIX}:clock"
CLOCK_TURN = f"{PREFIX}:clock:turn"
HOLDS = f"{PREFIX}:holds"
HOLDS_TURN = f"{PREFIX}:holds:turn"
PLACES = f"{PREFIX}:places"
PACE = f"{PREFIX}:pace"
# Prefixes: scripts add a lane, and a priority to the first.
ORDER = f"{PREFIX}:order:"
TURNS = f"{PREFIX}:turns:"
BELLS = f"{PREFIX}:bell:"
PICKS = f"{PREFIX}:picks:"
RUNNING = f"{PREFIX}:running:"  # a script adds `Resource.id`
QUEUED = f"{PREFIX}:queued:"  # the same
ENTRIES = f"{PREFIX}:entry:*"  # as SCAN matches them


def entry(resource: Resource) -> str:
    """The hash that holds a resource's entry."""
    return f"{PREFIX}:entry:{resource.id}"


def pages(resource: Resource) -> str:
    """The hash that holds the pages of GitHub that an entry was made from."""
    return f"{PREFIX}:pages:{resource.id}"


def segments(resource: Resource) -> str:
    """The hash that holds the bodies of a list's segments, and of those of its views."""
    return f"{PREFIX}:segments:{resource.id}"


def reading(resource: Resource) -> str:
    """The hash that holds the pages of a list that is being read."""
    return f"{PREFIX}:reading:{resource.id}"


def content_of(resource_id: str) -> list[str]:
    """The keys of a resource's content and records, by `Resource.id`."""
    kinds = ("entry", "pages", "failure", "suspicion", "record")
    return [f"{PREFIX}:{kind}:{resource_id}" for kind in kinds]


def everything_of(resource_id: str) -> list[str]:
    """The keys of all that is stored of a resource for long, by `Resource.id`."""
    further = ("segments", "reading", "forgotten", "ahead", "invalidated")
    mark = f"{PREFIX}:invalidated:{resource_id}"
    return [
        *content_of(resource_id),
        *(f"{PREFIX}:{kind}:{resource_id}" for kind in further),
        *(f"{mark}:{part}" for part in ("items", "looks", "replaced")),
    ]


def all_of(resource: Resource) -> list[str]:
    """All keys of a resource."""
    brief = (fence, lock, running, asked, queued, progress)
    return [*everything_of(resource.id), *(key(resource) for key in brief)]


def failure(resource: Resource) -> str:
    """The record of a resource's last failed refresh."""
    return f"{PREFIX}:failure:{resource.id}"


def suspicion(resource: Resource) -> str:
    """What a look at a list showed that is not believed yet."""
    return f"{PREFIX}:suspicion:{resource.id}"


def invalidated_by(resource: Resource) -> str:
    """The mark of the invalidations that no refresh has handled."""
    return f"{PREFIX}:invalidated:{resource.id}"


def items_named(resource: Resource) -> str:
    """The items of a list that events have named since the last look that ended an invalidation."""
    return f"{PREFIX}:invalidated:{resource.id}:items"


def looks(resource: Resource) -> str:
    """The times of the latest event and of the next look at a resource."""
    return f"{PREFIX}:invalidated:{resource.id}:looks"


def replaced(resource: Resource) -> str:
    """The entity tags of contents that GitHub's replicas may still show, although it has newer."""
    return f"{PREFIX}:invalidated:{resource.id}:replaced"


def delivery(delivery_id: str) -> str:
    """Set when a webhook delivery was accepted."""
    return f"{PREFIX}:delivery:{delivery_id}"


def hook(path: str) -> str:
    """How far the deliveries of a webhook were read, by its path in GitHub's API."""
    return f"{PREFIX}:redelivery:hook:{path}"


def lost_deliveries(path: str) -> str:
    """The deliveries of a webhook that were lost, by its path in GitHub's API."""
    return f"{PREFIX}:redelivery:lost:{path}"


def hook_pause(source: str) -> str:
    """Set while GitHub wants no requests about the webhooks of a source."""
    return f"{PREFIX}:redelivery:wait:{source}"


def fence(resource: Resource) -> str:
    """The newest fencing token that was handed out for a resource."""
    return f"{PREFIX}:fence:{resource.id}"


def budget(credential: str, resource_class: str) -> str:
    """A credential's remaining requests in a class, by the credential's public id."""
    return f"{PREFIX}:budget:{credential}:{resource_class}"


def aside(credential: str) -> str:
    """The time until which a credential must not be used."""
    return f"{PREFIX}:set-aside:{credential}"


def refused(credential: str) -> str:
    """The owners, and their operations, for which GitHub refuses a credential."""
    return f"{PREFIX}:refused:{credential}"


def app_token(credential: str) -> str:
    """A GitHub App's current token, encrypted."""
    return f"{PREFIX}:app-token:{credential}"


def app_renewal(credential: str) -> str:
    """Set while one process of the fleet fetches a GitHub App's next token."""
    return f"{PREFIX}:app-renewal:{credential}"


def lock_name(resource: Resource) -> str:
    """The name of a resource's Redlock; pottery derives the key from it."""
    return f"{PREFIX}:lock:{resource.id}"


def lock(resource: Resource) -> str:
    """The key of a resource's Redlock."""
    return f"redlock:{lock_name(resource)}"


def running(resource: Resource) -> str:
    """Set while a refresher works on a resource, wherever its lock is stored."""
    return f"{RUNNING}{resource.id}"


def asked(resource: Resource) -> str:
    """Set while further requests are dropped: a second after a request, or during a rest."""
    return f"{PREFIX}:asked:{resource.id}"


def queued(resource: Resource) -> str:
    """The id of the job that was last enqueued for a resource."""
    return f"{QUEUED}{resource.id}"


def order(lane: str, priority: str) -> str:
    """The queued jobs of a lane and priority, in order."""
    return f"{ORDER}{lane}:{priority}"


def bell(lane: str) -> str:
    """Holds an element while the lane holds a job."""
    return f"{BELLS}{lane}"


def waits(client: str) -> str:
    """The resources that a client waits for."""
    return f"{PREFIX}:waits:{client}"


def ahead(resource: Resource) -> str:
    """The end of freshness for which a scheduler requested a refresh last."""
    return f"{PREFIX}:ahead:{resource.id}"


def forgotten(resource: Resource) -> str:
    """The newest version of a resource that must not be served any more."""
    return f"{PREFIX}:forgotten:{resource.id}"


def record(resource: Resource) -> str:
    """The results of a resource's refreshes."""
    return f"{PREFIX}:record:{resource.id}"


def progress(resource: Resource) -> str:
    """The progress of reading a list."""
    return f"{PREFIX}:progress:{resource.id}"


def timeline(kind: str) -> str:
    """The latest refreshes of tracked or of on-demand resources."""
    return f"{PREFIX}:timeline:{kind}"


def budget_history(credential: str, resource_class: str) -> str:
    """A credential's remaining requests in a class over the last hours."""
    return f"{PREFIX}:budget-history:{credential}:{resource_class}"


def credential(credential_id: str) -> str:
    """What GitHub says about a credential."""
    return f"{PREFIX}:credential:{credential_id}"


def privileges(credential_id: str) -> str:
    """Evidence that a credential sees more than the public."""
    return f"{PREFIX}:privileges:{credential_id}"


def reader(reader_id: str) -> str:
    """The last report of a reader process."""
    return f"{PREFIX}:reader:{reader_id}"


def refresher(name: str) -> str:
    """What a refresher says of itself, by its name in RQ's registry."""
    return f"{PREFIX}:refresher:{name}"


def session(digest: str) -> str:
    """The proof of a session on the status page."""
    return f"{PREFIX}:session:{digest}"


def guesses(minute: int) -> str:
    """The number of wrong admin tokens in a minute of Unix time."""
    return f"{PREFIX}:guesses:{minute}"


def popular(slot: int) -> str:
    """The number of requests for on-demand resources in a slot of time."""
    return f"{PREFIX}:popular:{slot}"


def spent(kind: str, slot: int) -> str:
    """The requests to GitHub in a slot of time, by path or by client."""
    return f"{PREFIX}:spent:{kind}:{slot}"
