"""The options of curl 8, and what each is here.

A line has the option's names, a sign and a text (`table.py`).
"""

from __future__ import annotations

OPTIONS = """
cacert = PEM files
cert -E = PEM files, with the key in the same file or in --key; FILE:PASSWORD
connect-timeout = covers the DNS lookup, the connection and TLS
cookie -b = a text for every URL, or a file of cookies, each for its own site
cookie-jar -c = also makes the URLs of the run share their cookies, as one curl command does
data -d = with @FILE; not sent to another origin after a redirect
dns-servers = curl transport only
head -I =
header -H = with @FILE; never sent to another origin, unless it cannot be secret
http1.1 =
http2 = curl transport only
http3 = curl transport only
insecure -k =
interface = a name or an address
ipv4 -4 =
ipv6 -6 =
json = with @FILE
key = PEM files
limit-rate = for all transfers together
max-filesize = of the compressed and of the decompressed body; 1G by default
max-redirs = 10 by default
max-time -m = of each attempt; 5 minutes by default
netrc = no short form: -n is --number of the demo
netrc-file =
noproxy =
output -o ! the file of the rows, one for each URL; bodies are saved by --save DIR
proxy -x = http, https, socks5 and socks5h; --proxy env takes the environment's
rate ! N/s, N/m or N/h, over all hosts; 10/s here is curl's --rate 10/s
referer -e = without ;auto
request -X = also --method
resolve = without wildcards and timeouts
retry = 2 by default
retry-delay ! the first backoff, which doubles; with jitter
retry-max-time =
silent -s = as --quiet: errors are printed
tls-max =
tlsv1.2 =
tlsv1.3 =
user -u = Basic authentication; asks for a missing password on the terminal
user-agent -A =
verbose -v ! a line for each failure and retry; --keep headers and --warc show what was received
version -V =
help -h =

compressed + bodies are requested compressed, and counted decompressed
fail -f + a status of 400 or more is a failure, and its row says so; --accept names others
location -L + redirects are followed; --no-follow stops at the first
parallel -Z + ten concurrent fetches; --workers N changes that
show-error -S + errors are always printed
path-as-is - URLs are normalised as browsers do
basic + with -u
tcp-nodelay + for every connection
remove-on-error + only complete bodies are saved
suppress-connect-headers + a proxy's headers are never part of a response
no-buffer -N + rows are written at once
globoff -g + URLs are taken as they are: ranges such as [1-3] are not expanded
create-dirs + --save creates its directory
proxy-basic + with credentials in the proxy's URL
proxytunnel -p + for https; http goes through the proxy's own requests

anyauth > -u (Basic)
ca-native - use --cacert FILE
capath - use --cacert FILE
config -K ! TOML, such as workers = 50; without -K
continue-at -C - bodies are fetched completely; --resume continues a run
data-ascii > --data
data-binary > --json @FILE or -d with -H: -d @FILE leaves out line ends, --json @FILE keeps them
data-raw > --data, where only a leading @ is special
data-urlencode - encode the text, then use --data
dump-header -D > --keep headers, which puts them into the rows
etag-compare > --refresh OLD
etag-save > -o rows.jsonl, whose etag --refresh uses
fail-early > --max-failures 1
fail-with-body + a failed URL's row has its status
follow + redirects are followed, and the method changes as browsers change it
form -F - multipart forms are not offered; --data sends a form, --json JSON
form-escape - multipart forms are not offered; --data sends a form
form-string - multipart forms are not offered; --data sends a form
get -G - write the query into the URLs
happy-eyeballs-timeout-ms + other addresses are tried after 200 to 250 ms
hsts - a list says http or https for each URL
http0.9 - such a response fails as protocol
http1.0 -0 > --http1.1
http2-prior-knowledge - HTTP/2 is negotiated by TLS; --http2
http3-only > --http3
ignore-content-length - a body shorter than its length fails as truncated
junk-session-cookies -j + cookies without an expiry last for one run
keepalive-cnt - --read-timeout notices silent connections
keepalive-time - --read-timeout notices silent connections
libcurl - the program is Python; docs/usage/python.md
location-trusted - credentials stay within their origin
manual -M > --help
metalink - curl has removed it, too
next -: - all URLs have the same options; use several runs
no-alpn > --http1.1
no-clobber > --resume
no-keepalive - connections are reused
no-npn > --http1.1
no-progress-meter > --no-progress
no-sessionid + a TLS session is not kept beyond its connections
netrc-optional > --netrc
oauth2-bearer > -H 'Authorization: Bearer TOKEN'
out-null + bodies are measured, and kept only by --save DIR
output-dir > --save DIR
parallel-immediate + a new connection is opened at once
parallel-max > --workers
parallel-max-host > --per-host
pass > --cert FILE:PASSWORD
post301 - POST becomes GET, as in browsers; use the redirect's target
post302 - POST becomes GET, as in browsers; use the redirect's target
post303 - POST becomes GET, as in browsers; use the redirect's target
preproxy - one proxy can be used; --proxy
progress-bar -# + progress is shown on a terminal
proto + only http and https are fetched
proto-default + a URL without a scheme is http
proto-redir + only http and https are followed
proxy1.0 > --proxy
proxy-user -U > --proxy http://NAME:PASSWORD@HOST:PORT
range -r = without the short form
raw - transfer codings are removed; --warc keeps bodies as received
remote-header-name -J - --save names bodies by their hash
remote-name -O > --save DIR
remote-name-all > --save DIR
remote-time -R - the row has last_modified
retry-all-errors > --retry-failed all, in a run with --resume
retry-connrefused + refused connections are retried
show-headers -i > --keep headers, which puts them into the rows
include ! a pattern of links to follow; --keep headers puts headers into the rows
skip-existing > --resume
socks4 - use --proxy socks5://HOST:PORT
socks4a - use --proxy socks5h://HOST:PORT
socks5 > --proxy socks5://HOST:PORT
socks5-basic > --proxy socks5://NAME:PASSWORD@HOST:PORT
socks5-hostname > --proxy socks5h://HOST:PORT
speed-limit -Y > --read-timeout
speed-time -y > --read-timeout
stderr > 2>FILE in the shell
styled-output + colours are for terminals only
time-cond -z > --refresh OLD
tlsv1 -1 > --tlsv1.2
tlsv1.0 - the TLS library's oldest version is used; at least TLS 1.2
tlsv1.1 - the TLS library's oldest version is used; at least TLS 1.2
trace - --verbose prints failures, --warc FILE.warc.gz keeps what was sent and received
trace-ascii - --verbose prints failures, --warc FILE.warc.gz keeps what was sent and received
trace-config - --verbose prints failures, --warc FILE.warc.gz keeps what was sent and received
trace-ids + a row has urlnum, the position in the list
trace-time + a row has its timestamp
upload-file -T - the same file for every URL; use -X PUT --json @FILE with -H 'Content-Type: TYPE'
url > INPUT, a file with one URL per line
url-query - write the query into the URLs
variable - use variables of the shell
write-out -w = for text output, also -W (-w is --workers)
xattr - the row has what curl stores there
disable -q > --no-config
disallow-username-in-url - a row shows them as ***
request-target - a URL's target is sent as it is
connect-to > --resolve
haproxy-clientip - only HTTP proxies and SOCKS are offered
haproxy-protocol - only HTTP proxies and SOCKS are offered
unix-socket - hosts are reached by TCP
abstract-unix-socket - hosts are reached by TCP
alt-svc - each URL is fetched from its own host
aws-sigv4 - sign the URLs, which then need no header
digest - -u sends Basic authentication
negotiate -  -u sends Basic authentication
ntlm - -u sends Basic authentication
ntlm-wb - -u sends Basic authentication
delegation - -u sends Basic authentication
service-name - -u sends Basic authentication
httpsig-algo - requests are not signed
httpsig-headers - requests are not signed
httpsig-key - requests are not signed
httpsig-keyid - requests are not signed
expect100-timeout + a body is sent at once, without Expect: 100-continue
tr-encoding - only chunked transfer coding is used
doh-url - use --dns-servers or --resolve
doh-insecure - use --dns-servers or --resolve
doh-cert-status - use --dns-servers or --resolve
dns-interface > --interface
dns-ipv4-addr > --interface
dns-ipv6-addr > --interface
local-port - the system chooses ports
ip-tos - the system's socket settings are used
vlan-priority - the system's socket settings are used
mptcp - the system's socket settings are used
tcp-fastopen - the system's socket settings are used
ech - the TLS library's defaults are used, except for --tls-max and --tlsv1.2
cert-status - the TLS library's defaults are used
cert-type - certificates are PEM files
ciphers - the TLS library's defaults are used, except for --tls-max and --tlsv1.2
crlfile - the TLS library's defaults are used
curves - the TLS library's defaults are used
dump-ca-embed - use --cacert FILE
egd-file - the TLS library's defaults are used
engine - keys are PEM files
false-start - the TLS library's defaults are used
key-type - keys are PEM files
pinnedpubkey - use --cacert FILE
random-file - the TLS library's defaults are used
sigalgs - the TLS library's defaults are used
ssl-allow-beast - the TLS library's defaults are used
ssl-auto-client-cert - use --cert FILE
ssl-no-revoke - the TLS library's defaults are used
ssl-revoke-best-effort - the TLS library's defaults are used
ssl-sessions - a TLS session is not kept beyond its connections
sslv2 -2 - it is broken
sslv3 -3 - it is broken
tls-earlydata - the TLS library's defaults are used
tls13-ciphers - the TLS library's defaults are used
tlsauthtype - the TLS library's defaults are used
tlspassword - the TLS library's defaults are used
tlsuser - the TLS library's defaults are used
proxy-anyauth > --proxy http://NAME:PASSWORD@HOST:PORT (Basic)
proxy-ca-native - use --cacert FILE
proxy-cacert > --cacert, which is for proxies, too
proxy-capath - use --cacert FILE
proxy-cert - client certificates for proxies are not supported
proxy-cert-type - client certificates for proxies are not supported
proxy-ciphers - the TLS library's defaults are used
proxy-crlfile - the TLS library's defaults are used
proxy-digest - proxies get Basic authentication
proxy-header - extra headers for proxies are not supported
proxy-http2 - proxies are used over HTTP/1.1
proxy-http3 - proxies are used over HTTP/1.1
proxy-insecure > --insecure, for proxies, too
proxy-key - client certificates for proxies are not supported
proxy-key-type - client certificates for proxies are not supported
proxy-negotiate - proxies get Basic authentication
proxy-ntlm - proxies get Basic authentication
proxy-pass - client certificates for proxies are not supported
proxy-pinnedpubkey - use --cacert FILE
proxy-service-name - proxies get Basic authentication
proxy-ssl-allow-beast - the TLS library's defaults are used
proxy-ssl-auto-client-cert - client certificates for proxies are not supported
proxy-tls13-ciphers - the TLS library's defaults are used
proxy-tlsauthtype - the TLS library's defaults are used
proxy-tlspassword - the TLS library's defaults are used
proxy-tlsuser - the TLS library's defaults are used
proxy-tlsv1 - the TLS library's defaults are used
socks5-gssapi - SOCKS proxies get a user name and password
socks5-gssapi-nec - SOCKS proxies get a user name and password
socks5-gssapi-service - SOCKS proxies get a user name and password
"""

OTHER_PROTOCOLS = """
append -a, compressed-ssh, create-file-mode, crlf, disable-eprt, disable-epsv, ftp-account,
ftp-alternative-to-user, ftp-create-dirs, ftp-method, ftp-pasv, ftp-port -P, ftp-pret, ftp-skip-pasv-ip,
ftp-ssl-ccc, ftp-ssl-ccc-mode, ftp-ssl-control, hostpubmd5, hostpubsha256, ipfs-gateway, knownhosts, krb,
list-only -l, login-options, mail-auth, mail-from, mail-rcpt, mail-rcpt-allowfails, pubkey, quote -Q,
sasl-authzid, sasl-ir, ssl, ssl-reqd, telnet-option -t, tftp-blksize, tftp-no-options, upload-flags,
use-ascii -B
"""
"""Options for FTP, mail and the like: only http and https are fetched."""
