// go-github as its users have it: `go-github URL TOKEN`; it adds `/api/v3` itself.
//
// Prints one line of JSON per step, as tests/clients/scenarios/steps.py describes.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/google/go-github/github"
)

type detail map[string]interface{}

type line struct {
	Name    string      `json:"name"`
	OK      bool        `json:"ok"`
	Detail  interface{} `json:"detail"`
	URLs    interface{} `json:"urls"`
	Seconds float64     `json:"seconds"`
}

// authorised sends the user's token, as golang.org/x/oauth2 does.
type authorised struct{ token string }

func (a authorised) RoundTrip(request *http.Request) (*http.Response, error) {
	sent := request.Clone(request.Context())
	sent.Header.Set("Authorization", "Bearer "+a.token)
	return http.DefaultTransport.RoundTrip(sent)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// refusal is the client's plain error response: neither of its errors for limits.
func refusal(err error) detail {
	var failed *github.ErrorResponse
	if err == nil || !errors.As(err, &failed) {
		panic(fmt.Sprintf("%T, not an error response: %v", err, err))
	}
	return detail{"status": failed.Response.StatusCode, "message": failed.Message}
}

// as is what the client got, in GitHub's JSON.
func as(got, into interface{}) {
	text, err := json.Marshal(got)
	must(err)
	must(json.Unmarshal(text, into))
}

// picked is some keys of an object; those that end in `url` are addresses.
func picked(got interface{}, keys ...string) detail {
	one := detail{}
	as(got, &one)
	found, urls := detail{}, []interface{}{}
	for _, key := range keys {
		if strings.HasSuffix(key, "url") {
			urls = append(urls, one[key])
		} else {
			found[key] = one[key]
		}
	}
	found["urls"] = urls
	return found
}

// listed is a list's length, and of its first and last item what `picked` gives.
func listed(got interface{}, keys ...string) detail {
	var all []detail
	as(got, &all)
	first, last := picked(all[0], keys...), picked(all[len(all)-1], keys...)
	urls := append(first["urls"].([]interface{}), last["urls"].([]interface{})...)
	delete(first, "urls")
	delete(last, "urls")
	return detail{"count": len(all), "first": first, "last": last, "urls": urls}
}

// one and list are the same for what a call returns.
func one(keys ...string) func(interface{}, *github.Response, error) detail {
	return func(got interface{}, _ *github.Response, err error) detail {
		must(err)
		return picked(got, keys...)
	}
}

func list(keys ...string) func(interface{}, *github.Response, error) detail {
	return func(got interface{}, _ *github.Response, err error) detail {
		must(err)
		return listed(got, keys...)
	}
}

// paged is the list of all pages, with the client's own paging.
func paged(ask func(github.ListOptions) (interface{}, *github.Response, error), size int, keys ...string) detail {
	options := github.ListOptions{PerPage: size}
	var all []detail
	for {
		got, response, err := ask(options)
		must(err)
		var page []detail
		as(got, &page)
		all = append(all, page...)
		if response.NextPage == 0 {
			return listed(all, keys...)
		}
		options.Page = response.NextPage
	}
}

func run(name string, step func() detail) (written line) {
	begun := time.Now()
	defer func() {
		if failed := recover(); failed != nil {
			written = line{Name: name, Detail: fmt.Sprint(failed), URLs: []string{}}
		}
		written.Seconds = time.Since(begun).Seconds()
	}()
	found := step()
	urls, some := found["urls"]
	if !some {
		urls = []string{}
	}
	delete(found, "urls")
	return line{Name: name, OK: true, Detail: found, URLs: urls}
}

func main() {
	var plain *http.Client
	if token := os.Args[2]; token != "" {
		plain = &http.Client{Transport: authorised{token}}
	}
	var err error
	client, err = github.NewEnterpriseClient(os.Args[1], os.Args[1], plain)
	must(err)
	out := json.NewEncoder(os.Stdout)
	for _, step := range steps {
		must(out.Encode(run(step.name, step.run)))
	}
}
