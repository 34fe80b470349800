# Octokit.rb as its users have it: `ruby scenario.rb BASE TOKEN`; BASE may end in `/api/v3`.
#
# Prints one line of JSON per step, as tests/clients/scenarios/steps.py describes.

require "base64"
require "json"
require "octokit"

base, token = ARGV
token = nil if token.to_s.empty?
CLIENT = Octokit::Client.new(api_endpoint: base, access_token: token)
ALL = Octokit::Client.new(api_endpoint: base, access_token: token, auto_paginate: true)
HYSTRIX = "Netflix/Hystrix".freeze
RAW = { accept: "application/vnd.github.v3.raw" }.freeze # with json in it, it parses what is raw
DIFF = { accept: "application/vnd.github.diff" }.freeze
SHA = { accept: "application/vnd.github.sha" }.freeze
WALKS = base.end_with?("/api/v3") # elsewhere, bodies lead to GitHub

STEPS = []

def step(name, &run)
  STEPS << [name, run]
end

# Some keys of an object; those that end in `url` are addresses.
def picked(one, *keys)
  urls, others = keys.partition { |key| key.end_with?("url") }
  { **others.to_h { |key| [key, one[key]] }, urls: urls.map { |key| one[key] } }
end

# A list's length, and of its first and last item what `picked` gives.
def listed(found, *keys)
  first, last = picked(found.first, *keys), picked(found.last, *keys)
  urls = first.delete(:urls) + last.delete(:urls)
  { count: found.size, first: first, last: last, urls: urls }
end

# Text of a response, which Faraday takes for bytes.
def text(bytes)
  bytes.dup.force_encoding("UTF-8").scrub
end

def decoded(file)
  text(Base64.decode64(file.content))
end

# The client's own error of exactly this class.
def refusal(kind)
  answer = yield
rescue Octokit::Error => error
  raise unless error.instance_of?(kind)

  { status: error.response_status, message: JSON.parse(error.response_body)["message"] }
else
  raise "an answer, not an error: #{answer.inspect[0, 200]}"
end

step("organisation") { picked(CLIENT.organization("Netflix"), :login, :id, :url, :repos_url) }

step "members" do
  found = CLIENT.organization_members("Netflix", per_page: 20)
  following = CLIENT.last_response
  while (following = following.rels[:next] && following.rels[:next].get)
    found.concat(following.data)
  end
  listed(found, :login, :url)
end

step "repositories" do
  found = CLIENT.organization_repositories("Netflix") # of a cache, the whole list
  found = ALL.organization_repositories("Netflix") if CLIENT.last_response.rels[:next]
  listed(found, :full_name, :url)
end

step("repositories_by_page") { listed(ALL.organization_repositories("Netflix"), :id) }
step "repository" do
  picked(CLIENT.repository(HYSTRIX), :id, :default_branch, :url, :contents_url)
end
step "repository_by_id" do
  picked(CLIENT.repository(CLIENT.repository(HYSTRIX).id), :full_name)
end
step("issues") { listed(ALL.list_issues(HYSTRIX), :number, :url) }

step "issue" do
  number = CLIENT.list_issues(HYSTRIX).first.number
  comments = CLIENT.issue_comments(HYSTRIX, number).map(&:id)
  { comments: comments, **picked(CLIENT.issue(HYSTRIX, number), :title, :url) }
end

step("releases") { listed(CLIENT.releases(HYSTRIX), :tag_name, :url) }

step "latest_release" do
  release = CLIENT.latest_release(HYSTRIX)
  { same: CLIENT.release_for_tag(HYSTRIX, release.tag_name).id == release.id }
end

step "release_assets" do
  next unless WALKS # it asks by the release's own address

  { assets: CLIENT.release_assets(CLIENT.latest_release(HYSTRIX).url).map(&:name) }
end

step("tags") { listed(CLIENT.tags(HYSTRIX), :name, :zipball_url) }
step("branches") { listed(CLIENT.branches(HYSTRIX), :name) }
step("branch_with_a_slash") { picked(CLIENT.branch(HYSTRIX, "feature/login").commit, :sha, :url) }
step("ref_with_a_slash") { picked(CLIENT.ref(HYSTRIX, "heads/feature/login"), :ref, :url) }
step("contributors") { listed(CLIENT.contributors(HYSTRIX), :login, :contributions) }
step("commits") { listed(CLIENT.commits(HYSTRIX), :sha, :url) }

step "commit" do
  one = CLIENT.commit(HYSTRIX, "feature/login")
  same = CLIENT.commit(HYSTRIX, "feature/login", SHA) == one.sha
  { same: same, diff: CLIENT.commit(HYSTRIX, "feature/login", DIFF), **picked(one, :sha, :url) }
end

step "comparison" do
  between = [HYSTRIX, CLIENT.repository(HYSTRIX).default_branch, "feature/login"]
  { commits: CLIENT.compare(*between).commits.map(&:sha), diff: CLIENT.compare(*between, DIFF) }
end

step("contents") { listed(CLIENT.contents(HYSTRIX), :name, :url) }

step "file" do
  found = CLIENT.contents(HYSTRIX, path: "docs/index.md")
  { text: decoded(found), **picked(found, :path, :url, :git_url) }
end

step "raw_file" do
  found = CLIENT.contents(HYSTRIX, path: "docs/index.md", **RAW)
  type = CLIENT.last_response.headers["content-type"]
  { text: text(found), raw: type.match?(/vnd\.github(\.v3)?\.raw/) }
end

step("readme") { { raw: text(CLIENT.readme(HYSTRIX, **RAW)), decoded: decoded(CLIENT.readme(HYSTRIX)) } }
step("languages") { CLIENT.languages("Netflix/eureka").to_h }
step("topics") { CLIENT.topics(HYSTRIX).to_h }

step "user" do
  one = CLIENT.user(CLIENT.organization_members("Netflix", per_page: 1).first.login)
  repos = CLIENT.repositories(one.login).map(&:full_name)
  { same: CLIENT.user(one.id).login == one.login, repos: repos }
end

step "search_repositories" do
  found = CLIENT.search_repositories("hystrix")
  { total: found.total_count, **picked(found.items.first, :full_name, :url) }
end

step "search_issues" do
  found = CLIENT.search_issues("Hystrix")
  { total: found.total_count, **picked(found.items.first, :number, :url) }
end

step("workflows") { listed(CLIENT.workflows(HYSTRIX).workflows, :name, :url) }
step("archive") { { host: URI(CLIENT.archive_link(HYSTRIX, ref: "main")).host } }
step("emojis") { { names: CLIENT.emojis.to_h.keys.map(&:to_s).sort.first(3) } }

step "walk" do
  next unless WALKS

  repos = CLIENT.organization("Netflix").rels[:repos].get(query: { per_page: 100 })
  found = repos.data
  found.concat((repos = repos.rels[:next].get).data) while repos.rels[:next]
  repo = found.find { |one| one.name == "Hystrix" }.rels[:self].get.data
  author = repo.rels[:issues].get.data.first.user.rels[:self].get.data
  branch = repo.rels[:branches].get(uri: { branch: "feature/login" }).data
  tree = branch.commit.rels[:self].get.data.commit.tree.rels[:self].get.data
  { author: author.name, subscribers: repo.subscribers_count, entries: tree.tree.map(&:path) }
end

step "rate_limit" do
  CLIENT.organization("Netflix")
  noted = CLIENT.rate_limit.remaining
  { some: CLIENT.rate_limit!.remaining >= 1, noted: noted >= 1 }
end

step "not_modified" do
  CLIENT.organization("Netflix")
  etag = CLIENT.last_response.headers["etag"]
  CLIENT.organization("Netflix", headers: { "If-None-Match" => etag })
  { status: CLIENT.last_response.status }
end

{
  missing_repository: [Octokit::NotFound, -> { CLIENT.repository("Netflix/nothing") }],
  missing_user: [Octokit::NotFound, -> { CLIENT.user("nobody-of-that-name") }],
  missing_file: [Octokit::NotFound, -> { CLIENT.contents(HYSTRIX, path: "docs/nothing.md") }],
  refused_caller: [Octokit::Unauthorized, -> { CLIENT.user }],
  refused_path: [Octokit::Forbidden, -> { CLIENT.collaborators(HYSTRIX) }],
  refused_write: [Octokit::MethodNotAllowed, -> { CLIENT.create_issue(HYSTRIX, "Not here") }]
}.each { |name, (kind, ask)| step(name) { refusal(kind, &ask) } }

$stdout.sync = true
STEPS.each do |name, run|
  begun = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  line = { name: name, ok: true, urls: [] }
  begin
    detail = run.call
    line[:urls] = detail&.delete(:urls) || []
    line[:detail] = detail
  rescue StandardError => error
    line.merge!(ok: false, detail: "#{error.class}: #{error.message}"[0, 500])
  end
  line[:seconds] = (Process.clock_gettime(Process::CLOCK_MONOTONIC) - begun).round(3)
  puts JSON.generate(line)
end
