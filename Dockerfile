# The server roles: ingest, detect, api. The embedded store (chDB) is left out; they talk to a ClickHouse server.
FROM node:24-trixie-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY . .
RUN node packaging/build.ts && npm ci --ignore-scripts --omit=dev --omit=optional

FROM node:24-trixie-slim
ENV NODE_ENV=production
WORKDIR /opt/gatewatch
COPY --from=build /src/package.json /src/LICENSE ./
COPY --from=build /src/bin ./bin
COPY --from=build /src/dist ./dist
COPY --from=build /src/node_modules ./node_modules
# Named volumes that are mounted here take over the owner.
RUN install -d -o node -g node -m 0700 /var/lib/gatewatch /var/lib/gatewatch-credentials
USER node
VOLUME /var/lib/gatewatch
EXPOSE 8844
ENTRYPOINT ["node", "/opt/gatewatch/bin/gatewatch.cjs"]
CMD ["up", "--config", "/etc/gatewatch/gatewatch.yaml"]
