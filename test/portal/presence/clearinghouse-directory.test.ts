/** The client against the clearinghouse's own directory. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { DirectoryServer } from "../../../src/clearinghouse/directory/directory-server.js";
import { NickNames } from "../../../src/clearinghouse/directory/nick-names.js";
import { SYSTEM_CLOCK } from "../../../src/model/clock.js";
import type { IpAddress } from "../../../src/model/ip.js";
import { parsePrefix } from "../../../src/model/ip.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { DirectoryClient } from "../../../src/portal/presence/directory-client.js";

let server: DirectoryServer;
let names: NickNames;
let client: DirectoryClient;

beforeEach(async () => {
  names = new NickNames(":memory:", SYSTEM_CLOCK);
  const prefix = parsePrefix("127.0.0.0/8");
  if (prefix === undefined) throw new Error("a prefix is not read");
  const listen = { address: "127.0.0.1" as IpAddress, port: 0 };
  server = new DirectoryServer({ listen, clients: [{ prefix }], names, clock: SYSTEM_CLOCK, log: SILENT_LOGGER });
  client = new DirectoryClient(`http://127.0.0.1:${await server.listen()}/directory`);
});
afterEach(async () => {
  client.close();
  await server.close();
  names.close();
});

it("enters users, sees them, and hears that a name is taken", async () => {
  expect(await client.put("Zoë 1", { aor: "zoe@a.example", online: true })).toBe("kept");
  expect(await client.put("Al", { aor: "alice@a.example", online: false })).toBe("kept");
  expect(await client.put("zoë 1", { aor: "mallory@b.example", online: true })).toBe("taken");
  expect(await client.online()).toMatchObject([{ nick: "Zoë 1", aor: "zoe@a.example" }]);
  await client.put("Zoë 1", { aor: "zoe@a.example", online: false });
  expect(await client.online()).toEqual([]);
});
