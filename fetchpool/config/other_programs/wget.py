"""The options of wget2, and some that only wget or aria2 has, and what each is here.

A line has the option's names, a sign and a text (`table.py`).
"""

from __future__ import annotations

OPTIONS = """
connect-timeout = covers the DNS lookup, the connection and TLS
header = with -H and @FILE, too; never sent to another origin, unless it cannot be secret
help -h =
limit-rate = for all transfers together
method = also -X
netrc =
netrc-file =
quiet -q =
read-timeout =
referer = also -e
recursive -r = each page once; any number of links away, unless --depth says otherwise
page-requisites -p = also from outside the scope
follow-tags = without attributes
robots = off for a list, on with --recursive
user ! NAME:PASSWORD; a missing password is asked for on the terminal
user-agent = -A; -U is wget's
verbose -v ! a line for each failure and retry
version -V =
http2 = curl transport only
proxy ! its URL; --proxy env takes the environment's
accept -A ! the statuses that count as success; filter a list with grep

tries -t > --retry N, the number of tries after the first
timeout -T > --max-time
dns-timeout > --connect-timeout
wait -w > --host-delay TIME (-w is --workers)
waitretry > --retry-delay
random-wait + retries have jitter; --host-delay spaces requests evenly
max-redirect > --max-redirs
max-threads > --workers
input-file -i > INPUT, the files without an option
follow-sitemaps > --sitemap; with --recursive those that robots.txt names are read
force-sitemap > --sitemap
force-html -F - a list has one URL per line
base -B - URLs in a list are absolute
output-document -O > --save DIR for bodies, -o FILE for rows
output-file -o ! the file of the rows, one for each URL; messages go to standard error
append-output -a + -o appends to its file
directory-prefix -P > --save DIR
continue -c > --resume, which skips URLs that have a row; bodies are fetched completely
clobber -n > --resume; saved bodies are never overwritten
timestamping -N > --refresh OLD
if-modified-since > --refresh OLD
no-check-certificate > --insecure
check-certificate > --insecure
check-hostname > --insecure
ca-certificate > --cacert
ca-directory - use --cacert FILE
certificate > --cert
private-key > --key
certificate-type - certificates are PEM files
private-key-type - keys are PEM files
secure-protocol > --tlsv1.2, --tlsv1.3 and --tls-max
http-user > -u NAME:PASSWORD
http-password > -u NAME:PASSWORD
password > -u NAME:PASSWORD
ask-password > -u NAME
use-askpass > -u NAME
auth-no-challenge + -u is sent with the first request
http-proxy > --proxy
https-proxy > --proxy
http-proxy-user > --proxy http://NAME:PASSWORD@HOST:PORT
http-proxy-password > --proxy http://NAME:PASSWORD@HOST:PORT
post-data > --data
post-file > --data @FILE
body-data > --data with --method
body-file > --data @FILE with --method
load-cookies > --cookie FILE
save-cookies > --cookie-jar FILE
keep-session-cookies + --cookie-jar keeps them
cookies + cookies stay within one URL's redirects, unless --cookie-jar is given
compression + bodies are requested compressed, and counted decompressed
bind-address > --interface
bind-interface > --interface
inet4-only > --ipv4
inet6-only > --ipv6
prefer-family - the system's order is used; --ipv4 or --ipv6
http2-only - the server decides; --http2
http2-request-window > --per-host
http-keep-alive + connections are reused
quota -Q > --max-runtime
background -b - use & or nohup in the shell
debug -d ! -d is a request's body, --data; for more messages --verbose
progress ! bar, plain, json or none; --progress=dot is --progress plain here
show-progress + progress is shown on a terminal
force-progress - progress needs a terminal; otherwise a line appears from time to time
report-speed + rates are in bytes
retry-connrefused + refused connections are retried
retry-on-http-error > --retry-failed http_404, in a run with --resume
spider > --head
server-response -S > --keep headers, which puts them into the rows
save-headers > --warc FILE.warc.gz
warc-file > --warc FILE.warc.gz
content-on-error > --accept 200..599
save-content-on > --accept
content-disposition - --save names bodies by their hash
trust-server-names - --save names bodies by their hash
adjust-extension -E + --save takes the suffix from the type
html-extension + --save takes the suffix from the type
use-server-timestamps - the row has last_modified
delete-after + bodies are measured, and kept only by --save DIR
unlink + saved bodies are replaced atomically
xattr - the row has what wget2 stores there
dns-cache + names are cached for a minute
dns-caching + names are cached for a minute
dns-cache-preload > --resolve
ignore-length - a body shorter than its length fails as truncated
start-pos > --range
chunk-size - a body is fetched completely; --range
config ! TOML, such as workers = 50
execute -e ! -e is the Referer header; a variable such as FETCHPOOL_RETRY sets an option
https-only - a list says http or https for each URL
https-enforce - a list says http or https for each URL
hsts - a list says http or https for each URL
hsts-file - a list says http or https for each URL
hsts-preload - a list says http or https for each URL
hsts-preload-file - a list says http or https for each URL
no-clobber > --resume
local-encoding > --encoding
input-encoding > --encoding
remote-encoding + URLs are normalised as browsers do
iri + URLs are normalised as browsers do
cache > -H 'Cache-Control: no-cache'
metalink - a list has one URL per line
fsync-policy - rows are flushed twice a second
stats-all > -o rows.jsonl, whose fields have the times
stats-site > -o rows.jsonl
stats-server > -o rows.jsonl
stats-dns > -o rows.jsonl, whose fields have the times
stats-tls > -o rows.jsonl, whose fields have the times
stats-ocsp - revocation is not checked
tcp-fastopen - the system's socket settings are used
gnutls-options - the TLS library's defaults are used
tls-false-start - the TLS library's defaults are used
tls-resume - a TLS session is not kept beyond its connections
tls-session-file - a TLS session is not kept beyond its connections
crl-file - the TLS library's defaults are used
dane - the TLS library's defaults are used
egd-file - the TLS library's defaults are used
random-file - the TLS library's defaults are used
hpkp - the TLS library's defaults are used
hpkp-file - the TLS library's defaults are used
ocsp - revocation is not checked
ocsp-date - revocation is not checked
ocsp-file - revocation is not checked
ocsp-nonce - revocation is not checked
ocsp-server - revocation is not checked
ocsp-stapling - revocation is not checked
default-http-port - write the port into the URLs
default-https-port - write the port into the URLs
gnupg-homedir - signatures are not checked
verify-sig - signatures are not checked
verify-save-failed - signatures are not checked
signature-extensions - signatures are not checked
list-plugins - --parse package.module:function runs your own function
local-plugin - --parse package.module:function runs your own function
plugin - --parse package.module:function runs your own function
plugin-dirs - --parse package.module:function runs your own function
plugin-help - --parse package.module:function runs your own function
plugin-opt - --parse package.module:function runs your own function
hyperlink - messages are plain text
local-db - the rows are the only database
max-concurrent-downloads -j > --workers
max-connection-per-server > --per-host
split -s - a body is fetched by one connection
min-split-size -k - a body is fetched by one connection
dir > --save DIR
out > --save DIR for bodies, -o FILE for rows
max-tries > --retry
retry-wait > --retry-delay
max-overall-download-limit > --limit-rate
max-download-limit > --limit-rate
lowest-speed-limit > --read-timeout
all-proxy > --proxy
conditional-get > --refresh OLD
save-session > --resume
level -l > --depth
mirror -m > --recursive
parent > --scope prefix
span-hosts -H > --scope any
domains -D > --scope domain
exclude-domains > --exclude
include-directories -I > --include
exclude-directories -X > --exclude
accept-regex > --include
reject-regex > --exclude
reject -R > --exclude
filter-urls + patterns are searched in complete URLs
ignore-tags > --follow-tags
cut-url-get-vars > --ignore-param
"""

OTHER_PROTOCOLS = """
backup-converted -K, backups, convert-file-only, convert-links -k, cookie-suffixes, cut-dirs,
cut-file-get-vars, default-page, directories, download-attr, filter-mime-type,
force-atom, force-css, force-directories -x, force-metalink, force-rss, host-directories,
ignore-case, keep-extension, n, protocol-directories, regex-type, restrict-file-names,
strict-comments
"""
"""Options for the names of wget's files, and for what it takes for a link."""
