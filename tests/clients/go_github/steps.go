package main

import (
	"context"
	"fmt"
	"io"
	"sort"

	"github.com/google/go-github/github"
)

const owner, repo = "Netflix", "Hystrix"

var (
	client *github.Client
	ctx    = context.Background()
)

type step struct {
	name string
	run  func() detail
}

var steps = []step{
	{"organisation", func() detail {
		return one("login", "id", "url", "repos_url")(client.Organizations.Get(ctx, owner))
	}},
	{"members", func() detail {
		return paged(func(page github.ListOptions) (interface{}, *github.Response, error) {
			options := &github.ListMembersOptions{ListOptions: page}
			return client.Organizations.ListMembers(ctx, owner, options)
		}, 20, "login", "url")
	}},
	{"repositories", func() detail { return paged(repositories, 0, "full_name", "url") }},
	{"repositories_by_page", func() detail { return paged(repositories, 100, "id") }},
	{"repository", func() detail {
		return one("id", "default_branch", "url", "contents_url")(client.Repositories.Get(ctx, owner, repo))
	}},
	{"repository_by_id", func() detail {
		return one("full_name")(client.Repositories.GetByID(ctx, hystrix().GetID()))
	}},
	{"issues", func() detail {
		return paged(func(page github.ListOptions) (interface{}, *github.Response, error) {
			options := &github.IssueListByRepoOptions{ListOptions: page}
			return client.Issues.ListByRepo(ctx, owner, repo, options)
		}, 10, "number", "url")
	}},
	{"issue", func() detail {
		number := firstIssue().GetNumber()
		found := one("title", "url")(client.Issues.Get(ctx, owner, repo, number))
		comments, _, err := client.Issues.ListComments(ctx, owner, repo, number, nil)
		must(err)
		found["comments"] = len(comments)
		return found
	}},
	{"releases", func() detail {
		return list("tag_name", "url")(client.Repositories.ListReleases(ctx, owner, repo, nil))
	}},
	{"latest_release", func() detail {
		release, _, err := client.Repositories.GetLatestRelease(ctx, owner, repo)
		must(err)
		same, _, err := client.Repositories.GetReleaseByTag(ctx, owner, repo, release.GetTagName())
		must(err)
		found := list("name", "url")(client.Repositories.ListReleaseAssets(ctx, owner, repo, release.GetID(), nil))
		found["same"] = same.GetID() == release.GetID()
		return found
	}},
	{"tags", func() detail {
		return list("name", "zipball_url")(client.Repositories.ListTags(ctx, owner, repo, nil))
	}},
	{"branches", func() detail {
		return list("name")(client.Repositories.ListBranches(ctx, owner, repo, nil))
	}},
	{"branch_with_a_slash", func() detail { return picked(branch().Commit, "sha", "url") }},
	{"ref_with_a_slash", func() detail {
		return one("ref", "url")(client.Git.GetRef(ctx, owner, repo, "heads/feature/login"))
	}},
	{"contributors", func() detail {
		return list("login", "contributions")(client.Repositories.ListContributors(ctx, owner, repo, nil))
	}},
	{"commits", func() detail {
		return list("sha", "url")(client.Repositories.ListCommits(ctx, owner, repo, nil))
	}},
	{"commit", func() detail {
		found := one("sha", "url")(client.Repositories.GetCommit(ctx, owner, repo, "feature/login", nil))
		raw := github.RawOptions{Type: github.Diff}
		diff, _, err := client.Repositories.GetCommitRaw(ctx, owner, repo, "feature/login", raw)
		must(err)
		sha, _, err := client.Repositories.GetCommitSHA1(ctx, owner, repo, "feature/login", "")
		must(err)
		found["diff"], found["is"] = diff, sha
		return found
	}},
	{"comparison", func() detail {
		base, head := hystrix().GetDefaultBranch(), "feature/login"
		found := one("status", "url")(client.Repositories.CompareCommits(ctx, owner, repo, base, head, nil))
		raw := github.RawOptions{Type: github.Diff}
		diff, _, err := client.Repositories.CompareCommitsRaw(ctx, owner, repo, base, head, raw)
		must(err)
		found["diff"] = diff
		return found
	}},
	{"contents", func() detail {
		_, found, _, err := client.Repositories.GetContents(ctx, owner, repo, "", nil)
		must(err)
		return listed(found, "name", "url")
	}},
	{"file", func() detail {
		found, _, _, err := client.Repositories.GetContents(ctx, owner, repo, "docs/index.md", nil)
		must(err)
		return withText(found)
	}},
	{"raw_file", func() detail {
		request, err := client.NewRequest("GET", "repos/Netflix/Hystrix/contents/docs/index.md", nil)
		must(err)
		request.Header.Set("Accept", "application/vnd.github.raw+json")
		response, err := client.BareDo(ctx, request)
		must(err)
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		must(err)
		return detail{"text": string(text)}
	}},
	{"readme", func() detail {
		found, _, err := client.Repositories.GetReadme(ctx, owner, repo, nil)
		must(err)
		return withText(found)
	}},
	{"languages", func() detail {
		found, _, err := client.Repositories.ListLanguages(ctx, owner, "eureka")
		must(err)
		return detail{"languages": found}
	}},
	{"topics", func() detail {
		found, _, err := client.Repositories.ListAllTopics(ctx, owner, repo)
		must(err)
		return detail{"topics": found}
	}},
	{"user", func() detail {
		login := firstIssue().GetUser().GetLogin()
		found, _, err := client.Users.Get(ctx, login)
		must(err)
		same, _, err := client.Users.GetByID(ctx, found.GetID())
		must(err)
		repos, _, err := client.Repositories.List(ctx, login, nil)
		must(err)
		return detail{"same": same.GetLogin() == login, "repos": len(repos)}
	}},
	{"search_repositories", func() detail {
		found, _, err := client.Search.Repositories(ctx, "hystrix", nil)
		must(err)
		return listed(found.Repositories, "full_name", "url")
	}},
	{"search_issues", func() detail {
		found, _, err := client.Search.Issues(ctx, "Hystrix", nil)
		must(err)
		return listed(found.Issues, "number", "url")
	}},
	{"workflows", func() detail {
		found, _, err := client.Actions.ListWorkflows(ctx, owner, repo, nil)
		must(err)
		return listed(found.Workflows, "name", "url")
	}},
	{"archive", func() detail {
		options := &github.RepositoryContentGetOptions{Ref: "main"}
		to, _, err := client.Repositories.GetArchiveLink(ctx, owner, repo, github.Tarball, options, false)
		must(err)
		return detail{"host": to.Host}
	}},
	{"emojis", func() detail {
		found, _, err := client.ListEmojis(ctx)
		must(err)
		names := []string{}
		for name := range found {
			names = append(names, name)
		}
		sort.Strings(names)
		return detail{"names": names[:3]}
	}},
	{"walk", walk},
	{"rate_limit", func() detail {
		limits, response, err := client.RateLimits(ctx)
		must(err)
		_, noted, err := client.Organizations.Get(ctx, owner)
		must(err)
		some := limits.Core.Remaining >= 1 && response.Rate.Remaining >= 1
		return detail{"some": some, "noted": noted.Rate.Remaining >= 1}
	}},
	{"not_modified", func() detail {
		request, err := client.NewRequest("GET", "orgs/Netflix", nil)
		must(err)
		first, err := client.Do(ctx, request, nil)
		must(err)
		request.Header.Set("If-None-Match", first.Header.Get("ETag"))
		again, err := client.Do(ctx, request, nil)
		return detail{"status": again.StatusCode, "error": err != nil}
	}},
	{"missing_repository", func() detail {
		_, _, err := client.Repositories.Get(ctx, owner, "nothing")
		return refusal(err)
	}},
	{"missing_user", func() detail {
		_, _, err := client.Users.Get(ctx, "nobody-of-that-name")
		return refusal(err)
	}},
	{"missing_file", func() detail {
		_, _, _, err := client.Repositories.GetContents(ctx, owner, repo, "docs/nothing.md", nil)
		return refusal(err)
	}},
	{"refused_caller", func() detail {
		_, _, err := client.Users.Get(ctx, "")
		return refusal(err)
	}},
	{"refused_path", func() detail {
		_, _, err := client.Repositories.ListCollaborators(ctx, owner, repo, nil)
		return refusal(err)
	}},
	{"refused_write", func() detail {
		title := "Not here"
		_, _, err := client.Issues.Create(ctx, owner, repo, &github.IssueRequest{Title: &title})
		return refusal(err)
	}},
}

func repositories(page github.ListOptions) (interface{}, *github.Response, error) {
	return client.Repositories.ListByOrg(ctx, owner, &github.RepositoryListByOrgOptions{ListOptions: page})
}

func hystrix() *github.Repository {
	found, _, err := client.Repositories.Get(ctx, owner, repo)
	must(err)
	return found
}

func branch() *github.Branch {
	found, _, err := client.Repositories.GetBranch(ctx, owner, repo, "feature/login", true)
	must(err)
	return found
}

func firstIssue() *github.Issue {
	found, _, err := client.Issues.ListByRepo(ctx, owner, repo, nil)
	must(err)
	return found[0]
}

func withText(file *github.RepositoryContent) detail {
	text, err := file.GetContent()
	must(err)
	found := picked(file, "path", "url", "git_url")
	found["text"] = text
	return found
}

// follow reads what an address from a body leads to.
func follow(address string, into interface{}) {
	request, err := client.NewRequest("GET", address, nil)
	must(err)
	_, err = client.Do(ctx, request, into)
	must(err)
}

// walk goes from object to object, by nothing except the addresses in bodies.
func walk() detail {
	org, _, err := client.Organizations.Get(ctx, owner)
	must(err)
	whole := new(github.Repository)
	for page := 1; whole.URL == nil; page++ {
		var some []*github.Repository
		follow(fmt.Sprintf("%s?page=%d", org.GetReposURL(), page), &some)
		for _, one := range some {
			if one.GetName() == repo {
				follow(one.GetURL(), whole)
			}
		}
	}
	author, commit := new(github.User), new(github.RepositoryCommit)
	follow(firstIssue().GetUser().GetURL(), author)
	follow(branch().GetCommit().GetURL(), commit)
	sha := commit.GetCommit().GetTree().GetSHA()
	tree, _, err := client.Git.GetTree(ctx, owner, repo, sha, false)
	must(err)
	return detail{
		"author": author.GetName(), "subscribers": whole.GetSubscribersCount(), "entries": len(tree.Entries),
	}
}
