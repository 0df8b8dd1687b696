# Stands in for python:3.13-slim: Debian's Python under the names `python` and `pip`, and this machine's way to the
# package registry.
FROM imi-standin-base
RUN ln -s /usr/bin/python3 /usr/local/bin/python && rm -f /usr/lib/python3*/EXTERNALLY-MANAGED
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY pip.conf /etc/pip.conf
