// Downloads an address twice, as Go's net/http does by itself and with its gzip reader, and prints
// the SHA-256 of what each gave.
package main

import (
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	url := os.Args[1]
	response, err := http.Get(url)
	must(err)
	if !response.Uncompressed {
		panic("the response was not compressed")
	}
	print(response.Body)

	request, err := http.NewRequest("GET", url, nil)
	must(err)
	request.Header.Set("Accept-Encoding", "gzip")
	response, err = http.DefaultClient.Do(request)
	must(err)
	reader, err := gzip.NewReader(response.Body)
	must(err)
	reader.Multistream(false)
	print(reader)
	rest, err := io.ReadAll(response.Body)
	must(err)
	if len(rest) != 0 {
		panic("there is something behind the member")
	}
}

func print(body io.Reader) {
	digest := sha256.New()
	_, err := io.Copy(digest, body)
	must(err)
	fmt.Printf("%x\n", digest.Sum(nil))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
