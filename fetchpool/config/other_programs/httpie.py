"""The options of HTTPie, and what each is here.

A line has the option's names, a sign and a text (`table.py`).
"""

from __future__ import annotations

OPTIONS = """
json -j ! the JSON itself, or @FILE; HTTPie makes it of its arguments
form -f ! -f is curl's --fail; --data sends a form
multipart - multipart forms are not offered; --data sends a form, --json JSON
boundary - multipart forms are not offered; --data sends a form, --json JSON
raw > --json, or --data with -H 'Content-Type: TYPE'
compress -x - a body is sent as it is (-x is --proxy)
chunked - a body is sent with its length
pretty - rows are JSON lines; use jq
style -s - rows are JSON lines; use jq
sorted - rows are JSON lines; use jq
unsorted - rows are JSON lines; use jq
no-sorted - rows are JSON lines; use jq
no-unsorted - rows are JSON lines; use jq
format-options - rows are JSON lines; use jq
response-charset - bodies are stored as bytes; a --parse function gets text
response-mime - bodies are stored as bytes; a --parse function gets text
print -p - --keep headers puts them into the rows, --warc FILE.warc.gz keeps what was sent and received
headers -h > --keep headers, which puts them into the rows; --header sends one
meta -m ! -m is the total time, --max-time; -o rows.jsonl has the times
body -b ! -b is a cookie, --cookie; --save DIR saves bodies
verbose -v ! a line for each failure and retry
all > --warc FILE.warc.gz
history-print -P > --warc FILE.warc.gz
stream -S + rows are written as they are completed
output -o ! the file of the rows, one for each URL; bodies are saved by --save DIR
download -d ! -d is a request's body, --data; bodies are saved by --save DIR
continue -c ! -c is the cookie jar; --resume continues a run
quiet -q =
session > --cookie-jar FILE with --cookie FILE
session-read-only > --cookie FILE
auth -a > --user NAME:PASSWORD
auth-type -A ! -A is the User-Agent; -u sends Basic authentication, -H 'Authorization: Bearer TOKEN' a token
ignore-netrc + .netrc is read only with --netrc
offline > --dry-run
proxy = one proxy for all protocols
follow -F + redirects are followed; --no-follow stops at the first
max-redirects > --max-redirs
max-headers + the limit is 300 kB of headers
timeout > --max-time
check-status + a status of 400 or more is a failure
path-as-is - URLs are normalised as browsers do
verify > --cacert FILE or --insecure
ssl > --tlsv1.2, --tlsv1.3 and --tls-max
ciphers - the TLS library's defaults are used
cert = PEM files
cert-key > --key
cert-key-pass > --cert FILE:PASSWORD
ignore-stdin + standard input is read only as the list
help =
manual > --help
version =
traceback - internal errors are always reported
default-scheme + a URL without a scheme is http
debug > --verbose
"""
