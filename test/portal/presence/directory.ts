/** A directory on loopback, as the clearinghouse is to have it: PUT and GET of nick names, over real HTTP. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface TinyDirectory {
  readonly url: string;
  readonly entries: Map<string, { nick: string; aor: string; online: boolean; since: number }>;
  /** Nick names that another provider has. */
  readonly taken: Set<string>;
  puts: number;
  gets: number;
  /** That were ever made. */
  connections: number;
  /** What it answers to everything while it is set. */
  failure: number | "hang" | "garbage" | undefined;
  close(): Promise<void>;
}

export async function startDirectory(): Promise<TinyDirectory> {
  const directory: Omit<TinyDirectory, "url" | "close"> = {
    entries: new Map(),
    taken: new Set(),
    puts: 0,
    gets: 0,
    connections: 0,
    failure: undefined,
  };
  const server: Server = createServer((request, response) => {
    let body = "";
    request.on("data", (part) => {
      body += String(part);
    });
    request.on("end", () => {
      const { failure, entries, taken } = directory;
      if (request.method === "PUT") directory.puts += 1;
      else directory.gets += 1;
      if (failure === "hang") return;
      if (failure !== undefined) {
        response.writeHead(failure === "garbage" ? 200 : failure).end('{"entries": {}}');
        return;
      }
      const url = new URL(request.url ?? "", "http://directory");
      const nick = decodeURIComponent(url.pathname.slice("/directory/".length));
      if (request.method === "PUT" && taken.has(nick)) response.writeHead(409).end();
      else if (request.method === "PUT") {
        const { aor, online } = JSON.parse(body);
        const since = entries.get(nick)?.since ?? Date.now();
        entries.set(nick, { nick, aor, online, since });
        response.writeHead(204).end();
      } else if (url.pathname === "/directory" && url.searchParams.get("online") === "1") {
        response.writeHead(200, { "content-type": "application/json" });
        response.end(JSON.stringify({ entries: [...entries.values()].filter(({ online }) => online) }));
      } else response.writeHead(404).end();
    });
  });
  server.on("connection", () => {
    directory.connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(directory, {
    url: `http://127.0.0.1:${port}/directory`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}
