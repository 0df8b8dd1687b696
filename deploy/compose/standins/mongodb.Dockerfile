# Stands in for mongo:8.0: the mongod of the tests, with the image's user, folders and command.
FROM imi-standin-base
COPY mongod /usr/local/bin/mongod
RUN mkdir -p /data/db /data/configdb && chown -R 999:999 /data
VOLUME /data/db /data/configdb
CMD ["mongod"]
