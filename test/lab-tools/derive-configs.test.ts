/** The files of a lab with more sites: what they say of whom. test/lab/topologies.test.ts starts roles from them. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SITES = ["a 1 1 uac alice", "b 2 3 uas bob", "c 3 5 ua3 dave", "d 4 7 ua4 erin"];

let work: string;
let from: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), "sluice-derive-"));
  from = join(work, "from");
  cpSync(join(ROOT, "configs/lab"), from, { recursive: true });
});
afterEach(() => rmSync(work, { recursive: true, force: true }));

const run = (hosts: readonly string[], { sites = SITES, rate = "" } = {}) =>
  execa("node", [join(ROOT, "scripts/lab/derive-configs.mjs"), from, join(work, "to"), rate, ...hosts], {
    input: sites.join("\n"),
    reject: false,
  });

async function derived(host: string, options: Parameters<typeof run>[1] = {}): Promise<unknown> {
  const { exitCode, stderr } = await run([host], options);
  expect(exitCode, stderr).toBe(0);
  return parse(readFileSync(join(work, "to", `${host}.yaml`), "utf8"));
}

describe("derive-configs.mjs", () => {
  it("gives every proxy routes to all others, in the first site, the second and the fourth", async () => {
    const a = "sip:10.1.0.5:5060";
    const b = "sip:10.3.0.5:5060";
    const c = "sip:10.5.0.5:5060";
    const d = "sip:10.7.0.5:5060";
    expect(await derived("sip1")).toMatchObject({
      sip: { routes: { "b.example": b, "c.example": c, "d.example": d } },
    });
    expect(await derived("sip2")).toMatchObject({
      sip: { routes: { "a.example": a, "c.example": c, "d.example": d } },
    });
    expect(await derived("sip4")).toMatchObject({
      name: "sip4.d.example",
      sip: {
        listen: ["10.7.0.5:5060"],
        domains: ["d.example"],
        users: { erin: "sip:erin@10.7.0.10:5060" },
        routes: { "a.example": a, "b.example": b, "c.example": c },
      },
      pdp: { servers: ["10.7.0.6:3288"] },
    });
  });

  it("speaks of the sites that there are, and of no other", async () => {
    const routes = { "b.example": "sip:10.3.0.5:5060", "c.example": "sip:10.5.0.5:5060" };
    const { sip } = (await derived("sip1", { sites: SITES.slice(0, 3) })) as { readonly sip: unknown };
    expect(sip).toMatchObject({ routes });
    expect(Object.keys((sip as { readonly routes: object }).routes)).toEqual(Object.keys(routes));
  });

  it("has every router take the servers of all sites for signalling", async () => {
    const servers = ["10.1.0.5", "10.3.0.5", "10.5.0.5", "10.7.0.5"];
    for (const host of ["r1", "r2", "r3", "r4"]) {
      const { signalling } = (await derived(host)) as {
        readonly signalling: { readonly servers: readonly { readonly addresses: readonly string[] }[] };
      };
      const [sip, , osp] = signalling.servers;
      expect([...(sip?.addresses ?? [])].sort(), host).toEqual(servers);
      expect(osp?.addresses, host).toEqual(["10.4.0.7"]);
    }
  });

  it("has the clearinghouse know every policy server and domain", async () => {
    expect(await derived("ch")).toMatchObject({
      peers: [
        { name: "pol1.a.example" },
        { name: "pol2.b.example" },
        { name: "pol3.c.example", addresses: ["10.5.0.6"], domains: ["c.example"] },
        { name: "pol4.d.example", addresses: ["10.7.0.6"], domains: ["d.example"] },
      ],
      destinations: [{}, {}, { domain: "c.example", signal: "10.5.0.5:5060" }, { domain: "d.example" }],
    });
  });

  it("leaves a rule that names the own site and another one alone", async () => {
    const rules = [{ name: "best-effort-callees", from: "*@c.example", to: "carol@b.example" }, { name: "calls" }];
    const { rules: found } = (await derived("pol3")) as { readonly rules: readonly unknown[] };
    expect(found).toMatchObject(rules);
  });

  it("sets the rate of the core interface alone, and of all a transit router has", async () => {
    cpSync(join(from, "r1.yaml"), join(from, "t.yaml"));
    const [core, access] = [{ name: "core", rate: "20 Mbit/s" }, { name: "access" }];
    const options = { sites: SITES.slice(0, 2), rate: "20 Mbit/s" };
    expect(await derived("r1", options)).toMatchObject({
      kernel: { interfaces: [core, { ...access, rate: "100 Mbit/s" }] },
    });
    expect(await derived("t", options)).toMatchObject({
      kernel: { interfaces: [core, { ...access, rate: "20 Mbit/s" }] },
    });
  });

  it("takes a folder that has files for further sites as it is", async () => {
    writeFileSync(join(from, "r3.yaml"), "role: router\n");
    expect(await derived("r3")).toEqual({ role: "router" });
    expect(await derived("sip1")).toEqual(parse(readFileSync(join(from, "sip1.yaml"), "utf8")));
  });

  it("names the file that is missing", async () => {
    rmSync(join(from, "pol1.yaml"));
    const { exitCode, stderr } = await run(["pol3"]);
    expect([exitCode, stderr]).toEqual([
      2,
      `derive-configs.mjs: ${from}/pol1.yaml is missing; --configs DIR names the folder`,
    ]);
  });
});
