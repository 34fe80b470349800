"""Sample data for the world: plausible names, languages, licences and descriptions."""

from typing import Final

KNOWN_REPOSITORIES: Final = (
    "Hystrix", "eureka", "zuul", "ribbon", "archaius", "SimianArmy", "asgard", "ice", "conductor",
    "chaosmonkey", "Priam", "astyanax", "curator", "governator", "feign", "servo", "spectator",
    "vizceral", "metaflow", "dispatch", "lemur", "security_monkey", "falcor", "restify", "mantis",
    "genie", "dynomite", "dyno", "EVCache", "concurrency-limits", "dgs-framework", "vmaf",
    "bless", "repokid", "aegisthus", "suro", "karyon", "blitz4j", "Turbine", "netflix.github.com",
)  # fmt: skip
ADJECTIVES: Final = (
    "amber", "brisk", "calm", "distributed", "eager", "fast", "global", "hybrid", "idle", "jolly",
    "keen", "lazy", "mellow", "nimble", "open", "plain", "quick", "rapid", "silent", "tiny",
    "unified", "vivid", "warm", "async", "cloud", "stream",
)  # fmt: skip
NOUNS: Final = (
    "atlas", "broker", "cache", "deck", "engine", "forge", "gateway", "harbor", "index", "journal",
    "kernel", "ledger", "monitor", "nexus", "orbit", "pipeline", "queue", "router", "scheduler",
    "tracer", "uploader", "vault", "watcher", "proxy", "metrics", "encoder",
)  # fmt: skip
SUFFIXES: Final = ("", "-py", "-java", "-js", "-plugin", ".core", "_client", "-ui", "-docs", "2")
FIRST_NAMES: Final = (
    "ada", "boris", "carla", "dmitri", "elena", "farid", "grace", "hiro", "ines", "jonas", "kira",
    "liam", "mona", "nils", "olga", "pablo", "quinn", "rosa", "sven", "tara", "uma", "victor",
    "wanda", "xavier", "yuki", "zoe",
)  # fmt: skip
LAST_NAMES: Final = (
    "adler", "brown", "chen", "diaz", "evans", "fischer", "garcia", "hopper", "ivanov", "jensen",
    "khan", "lopez", "meyer", "novak", "okafor", "patel", "quist", "rossi", "sato", "tanaka",
    "ueda", "vega", "wong", "xu", "young", "zhou",
)  # fmt: skip
LANGUAGES: Final = ("Java", "Python", "JavaScript", "Go", "Kotlin", "Scala", "C++", "Shell", None)
TOPICS: Final = ("aws", "cloud", "resilience", "streaming", "cache", "video", "security", "java")
# Some are not ASCII on purpose: GitHub sends UTF-8 unescaped, and so must a cache.
DESCRIPTIONS: Final = (
    "A library that keeps services standing",
    "Service registry for resilient mid-tier load balancing",
    "Tools for naïve encoders — measured, not guessed",
    "Outil d'analyse des flux vidéo",
    "ストリーミング用のキャッシュ",
    "Chaos, on purpose 🐒",
    'Says "hello" & <goodbye>',
    None,
)
# key -> (name, SPDX id); source: GitHub's /licenses
LICENSES: Final = {
    "apache-2.0": ("Apache License 2.0", "Apache-2.0"),
    "mit": ("MIT License", "MIT"),
    "bsd-3-clause": ('BSD 3-Clause "New" or "Revised" License', "BSD-3-Clause"),
    "other": ("Other", "NOASSERTION"),
}
