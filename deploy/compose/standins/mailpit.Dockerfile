# Stands in for axllent/mailpit: see mailpit.py.
FROM imi-standin-base
COPY mailpit.py /mailpit
RUN chmod 755 /mailpit
ENTRYPOINT ["/mailpit"]
