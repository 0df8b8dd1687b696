# Stands in for rabbitmq:4.0-management: Debian's RabbitMQ, with the image's user, home and command, and without Debian's
# wrapper.
FROM imi-standin-base
RUN groupmod --gid 999 rabbitmq && usermod --uid 999 rabbitmq \
 && mkdir -p /var/lib/rabbitmq /var/log/rabbitmq && chown -R 999:999 /var/lib/rabbitmq /var/log/rabbitmq /etc/rabbitmq
ENV PATH=/usr/lib/rabbitmq/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/var/lib/rabbitmq LANG=C.UTF-8
VOLUME /var/lib/rabbitmq
CMD ["rabbitmq-server"]
