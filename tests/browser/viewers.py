"""Who asks the stand-in GitHub with the tokens of these tests."""

from tests.fakegithub.viewers import EVERY_OTHER_TOKEN

# Every token is one as README advises: classic, without any scope, of an account that belongs to
# no organisation.
STRANGERS = {EVERY_OTHER_TOKEN: {"role": "stranger", "scopes": ""}}
