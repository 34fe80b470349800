// Octokit.js as its users have it, with its throttling and retry plugins:
//
//     node scenario.mjs <base URL> <token>
//
// Prints one line of JSON per step, as tests/clients/scenarios/steps.py describes.
import { Octokit, RequestError } from "octokit";

const [baseUrl, auth] = process.argv.slice(2);
const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const octokit = new Octokit({ baseUrl, auth: auth || undefined, log: quiet });
const { rest } = octokit;
const netflix = { org: "Netflix" };
const hystrix = { owner: "Netflix", repo: "Hystrix" };
const steps = [];

const step = (name, run) => steps.push([name, run]);
const decoded = (content) => Buffer.from(content, "base64").toString();
const format = (name) => ({ mediaType: { format: name } });

// Some keys of an object; those that end in `url` are addresses.
function picked(one, ...keys) {
  const [urls, others] = [true, false].map((are) => keys.filter((key) => key.endsWith("url") === are));
  return { ...Object.fromEntries(others.map((key) => [key, one[key]])), urls: urls.map((key) => one[key]) };
}

// A list's length, and of its first and last item what `picked` gives.
function listed(values, ...keys) {
  const { urls, ...first } = picked(values[0], ...keys);
  const { urls: more, ...last } = picked(values.at(-1), ...keys);
  return { count: values.length, first, last, urls: [...urls, ...more] };
}

// The client's own error: status and message.
async function refusal(ask) {
  let answer;
  try {
    answer = await ask();
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    return { status: error.status, message: error.response?.data?.message };
  }
  throw new Error(`an answer, not an error: ${answer.status}`);
}

const data = async (answer) => (await answer).data;
const paged = (ask, options) => octokit.paginate(ask, options);

step("organisation", async () =>
  picked(await data(rest.orgs.get(netflix)), "login", "id", "url", "repos_url"));

step("members", async () =>
  listed(await paged(rest.orgs.listMembers, { ...netflix, per_page: 20 }), "login", "url"));

step("repositories", async () =>
  listed(await paged(rest.repos.listForOrg, netflix), "full_name", "url"));

step("repositories_by_page", async () => {
  const found = [];
  const options = { ...netflix, per_page: 100 };
  for await (const { data } of octokit.paginate.iterator(rest.repos.listForOrg, options)) {
    found.push(...data);
  }
  return listed(found, "id");
});

step("repository", async () =>
  picked(await data(rest.repos.get(hystrix)), "id", "default_branch", "url", "contents_url"));

step("repository_by_id", async () => {
  const { id } = await data(rest.repos.get(hystrix));
  return picked(await data(octokit.request("GET /repositories/{id}", { id })), "full_name");
});

step("issues", async () =>
  listed(await paged(rest.issues.listForRepo, { ...hystrix, per_page: 10 }), "number", "url"));

step("issue", async () => {
  const [{ number }] = await data(rest.issues.listForRepo(hystrix));
  const issue = await data(rest.issues.get({ ...hystrix, issue_number: number }));
  const comments = await data(rest.issues.listComments({ ...hystrix, issue_number: number }));
  return { comments: comments.map((one) => one.id), ...picked(issue, "title", "url") };
});

step("releases", async () => listed(await data(rest.repos.listReleases(hystrix)), "tag_name", "url"));

step("latest_release", async () => {
  const { id, tag_name: tag } = await data(rest.repos.getLatestRelease(hystrix));
  const same = await data(rest.repos.getReleaseByTag({ ...hystrix, tag }));
  const assets = await data(rest.repos.listReleaseAssets({ ...hystrix, release_id: id }));
  return { same: same.id === id, assets: assets.map((one) => one.name) };
});

step("tags", async () => listed(await data(rest.repos.listTags(hystrix)), "name", "zipball_url"));

step("branches", async () => listed(await data(rest.repos.listBranches(hystrix)), "name"));

step("branch_with_a_slash", async () => {
  const branch = await data(rest.repos.getBranch({ ...hystrix, branch: "feature/login" }));
  return picked(branch.commit, "sha", "url");
});

step("ref_with_a_slash", async () =>
  picked(await data(rest.git.getRef({ ...hystrix, ref: "heads/feature/login" })), "ref", "url"));

step("contributors", async () =>
  listed(await data(rest.repos.listContributors(hystrix)), "login", "contributions"));

step("commits", async () => listed(await data(rest.repos.listCommits(hystrix)), "sha", "url"));

step("commit", async () => {
  const ask = (as) => data(rest.repos.getCommit({ ...hystrix, ref: "feature/login", ...format(as) }));
  const commit = await ask();
  const same = (await ask("sha")) === commit.sha;
  return { same, diff: await ask("diff"), ...picked(commit, "sha", "url") };
});

step("comparison", async () => {
  const { default_branch } = await data(rest.repos.get(hystrix));
  const between = { ...hystrix, basehead: `${default_branch}...feature/login` };
  const ask = (as) => data(rest.repos.compareCommitsWithBasehead({ ...between, ...format(as) }));
  return { commits: (await ask()).commits.map((one) => one.sha), diff: await ask("diff") };
});

step("contents", async () =>
  listed(await data(rest.repos.getContent({ ...hystrix, path: "" })), "name", "url"));

step("file", async () => {
  const file = await data(rest.repos.getContent({ ...hystrix, path: "docs/index.md" }));
  return { text: decoded(file.content), ...picked(file, "path", "url", "git_url") };
});

step("raw_file", async () => {
  const options = { ...hystrix, path: "docs/index.md", ...format("raw") };
  const { data, headers } = await rest.repos.getContent(options);
  return { text: data, raw: /vnd\.github(\.v3)?\.raw/.test(headers["content-type"]) };
});

step("readme", async () => {
  const raw = await data(rest.repos.getReadme({ ...hystrix, ...format("raw") }));
  return { raw, decoded: decoded((await data(rest.repos.getReadme(hystrix))).content) };
});

step("languages", () => data(rest.repos.listLanguages({ ...hystrix, repo: "eureka" })));

step("topics", () => data(rest.repos.getAllTopics(hystrix)));

step("user", async () => {
  const [{ login }] = await data(rest.orgs.listMembers({ ...netflix, per_page: 1 }));
  const { id } = await data(rest.users.getByUsername({ username: login }));
  const same = (await data(octokit.request("GET /user/{id}", { id }))).login === login;
  const repos = await paged(rest.repos.listForUser, { username: login });
  return { same, repos: repos.map((one) => one.full_name) };
});

step("search_repositories", async () => {
  const { items, total_count } = await data(rest.search.repos({ q: "hystrix" }));
  return { total_count, ...picked(items[0], "full_name", "url") };
});

step("search_issues", async () => {
  const { items, total_count } = await data(rest.search.issuesAndPullRequests({ q: "Hystrix" }));
  return { total_count, ...picked(items[0], "number", "url") };
});

step("workflows", async () =>
  listed((await data(rest.actions.listRepoWorkflows(hystrix))).workflows, "name", "url"));

step("emojis", async () => ({ names: Object.keys(await data(rest.emojis.get())).sort().slice(0, 3) }));

step("walk", async () => {
  if (!baseUrl.endsWith("/api/v3")) return null; // bodies lead to GitHub
  const get = (url) => data(octokit.request(`GET ${url}`));
  const org = await get((await get("/")).organization_url.replace("{org}", "Netflix"));
  const repos = await octokit.paginate(`GET ${org.repos_url}`, { per_page: 100 });
  const repo = await get(repos.find((one) => one.name === "Hystrix").url);
  const [first] = await get(repo.issues_url.replace("{/number}", ""));
  const author = await get(first.user.url);
  const branch = await get(repo.branches_url.replace("{/branch}", "/feature/login"));
  const tree = await get((await get(branch.commit.url)).commit.tree.url);
  const entries = tree.tree.map((one) => one.path);
  return { author: author.name, subscribers: repo.subscribers_count, entries };
});

step("rate_limit", async () => {
  const { resources } = await data(rest.rateLimit.get());
  const noted = Number((await rest.orgs.get(netflix)).headers["x-ratelimit-remaining"]);
  return { some: resources.core.remaining >= 1, noted: noted >= 1 };
});

step("not_modified", async () => {
  const { headers } = await rest.orgs.get(netflix);
  const condition = { "if-none-match": headers.etag };
  const { status } = await refusal(() => rest.orgs.get({ ...netflix, headers: condition }));
  return { status };
});

// What it sends besides, for which a browser asks the server's leave.
step("headers", async () => {
  let sent;
  const noting = (url, options) => {
    sent = Object.keys(options.headers).map((name) => name.toLowerCase()).sort();
    return fetch(url, options);
  };
  const condition = { "if-none-match": '"other"', authorization: "token of-the-client" };
  await rest.orgs.get({ ...netflix, request: { fetch: noting }, headers: condition });
  return { sent };
});

const failures = {
  missing_repository: () => rest.repos.get({ ...hystrix, repo: "nothing" }),
  missing_user: () => rest.users.getByUsername({ username: "nobody-of-that-name" }),
  missing_file: () => rest.repos.getContent({ ...hystrix, path: "docs/nothing.md" }),
  refused_caller: () => rest.users.getAuthenticated(),
  refused_path: () => rest.repos.listCollaborators(hystrix),
  refused_write: () => rest.issues.create({ ...hystrix, title: "Not here" }),
  refused_graphql: () => octokit.graphql("{ viewer { login } }"),
};
for (const [name, ask] of Object.entries(failures)) step(name, () => refusal(ask));

async function outcome([name, run]) {
  const begun = performance.now();
  const line = { name, ok: true, urls: [] };
  try {
    const found = await run();
    const { urls = [], ...detail } = found ?? {};
    Object.assign(line, { urls, detail: found && detail });
  } catch (error) {
    Object.assign(line, { ok: false, detail: `${error.name}: ${error.message}`.slice(0, 500) });
  }
  line.seconds = Math.round(performance.now() - begun) / 1000;
  return JSON.stringify(line);
}

// Those that wait before they try again do so at the same time.
const waits = ([name]) => name.startsWith("refused_");
for (const one of steps.filter((one) => !waits(one))) console.log(await outcome(one));
for (const line of await Promise.all(steps.filter(waits).map(outcome))) console.log(line);
