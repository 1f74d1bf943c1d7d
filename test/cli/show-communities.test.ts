import { expect, it } from "vitest";
import type { CommunityView } from "../../src/control/views.js";
import { roleSockets } from "./role-sockets.js";

const sockets = roleSockets("sluice-communities-");

const HQ: CommunityView = {
  name: "hq",
  prefixes: ["192.0.2.0/24", "2001:db8:a::/64"],
  domains: ["a.example"],
  router: "r1.a.example",
  edge: "192.0.2.1",
  own: true,
  pools: [
    { name: "voice-hq-branch", to: "branch", class: "voice" },
    { name: "video-hq-branch", to: "branch", class: "video" },
  ],
  sessions: 2,
};
const BRANCH: CommunityView = {
  name: "branch",
  prefixes: [],
  domains: [],
  router: "r2",
  own: false,
  pools: [],
  sessions: 0,
};

it("shows the communities of a policy server", async () => {
  await sockets.role("pol1", { "/v1/show/communities": async () => [HQ, BRANCH] });
  const { code, out } = await sockets.sluice(["show", "communities"]);
  expect(code).toBe(0);
  expect(out.split("\n").map((line) => line.split(/ {2,}/))).toEqual([
    ["ROLE", "COMMUNITY", "OWN", "PREFIXES", "DOMAINS", "ROUTER", "EDGE", "POOLS", "SESSIONS"],
    [
      "pol1",
      "hq",
      "true",
      "192.0.2.0/24, 2001:db8:a::/64",
      "a.example",
      "r1.a.example",
      "192.0.2.1",
      "voice-hq-branch, video-hq-branch",
      "2",
    ],
    ["pol1", "branch", "false", "r2", "0"],
    [""],
  ]);
});
