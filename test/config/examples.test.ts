/** The configurations that are shipped to start from: as they are, and with what stands in them as comment. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config/load.js";

const CONFIGS = join(import.meta.dirname, "../../configs");
const EXAMPLES = readdirSync(CONFIGS).filter((name) => name.endsWith(".yaml"));
const textOf = (name: string): string => readFileSync(join(CONFIGS, name), "utf8");

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-examples-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Keys and files of another machine are not here. */
function load(name: string, text: string) {
  const file = join(directory, name);
  writeFileSync(file, text);
  return loadConfig(file, undefined, { needFiles: false });
}

/** A comment that begins like YAML is YAML; sentences begin with a capital letter. */
const SWITCHED_OFF = /^( *)# ( *(?:- )?\{? ?[a-z]\w*:(?: .*)?| *- \{.*)$/gm;

const switchOn = (text: string): string =>
  text.replace(/^clearinghouse: none\b.*\n/m, "").replace(SWITCHED_OFF, "$1$2");

describe("configs", () => {
  it("has an example of every role", () => {
    expect(EXAMPLES.toSorted()).toEqual(["clearinghouse.yaml", "pdp.yaml", "portal.yaml", "proxy.yaml", "router.yaml"]);
  });

  it.each(EXAMPLES)("%s is right", (name) => {
    expect(`${load(name, textOf(name)).role}.yaml`).toBe(name);
  });

  it.each(EXAMPLES)("%s is right with all that is switched off in it", (name) => {
    const text = switchOn(textOf(name));
    expect(text).not.toBe(textOf(name));
    expect(load(name, text).role).toBe(name.replace(".yaml", ""));
  });

  it("shows what negotiated sessions take", () => {
    const router = load("router.yaml", switchOn(textOf("router.yaml")));
    const pdp = load("pdp.yaml", switchOn(textOf("pdp.yaml")));
    const proxy = load("proxy.yaml", switchOn(textOf("proxy.yaml")));
    const portal = load("portal.yaml", textOf("portal.yaml"));
    if (router.role !== "router" || pdp.role !== "pdp" || proxy.role !== "proxy" || portal.role !== "portal") {
      throw new Error("an example is of another role");
    }
    expect(router.stamp?.port).toBe(862);
    expect(pdp.quality.port).toBe(router.stamp?.port);
    expect(pdp.pools.map(({ measure }) => measure)).toContain(true);
    expect(portal.classes.map(({ name }) => name)).toEqual(
      expect.arrayContaining(pdp.sessionClasses.map(({ name }) => name)),
    );
    expect(proxy.sip.websocket?.origins).toEqual([portal.publicUrl]);
    expect(proxy.sip.domains[0]).toBe(portal.domain);
    expect(proxy.sip.registrar).toBeDefined();
    expect(proxy.sip.secret).toBeDefined();
  });

  it("has the signalling of all roles in the router's class", () => {
    const router = load("router.yaml", textOf("router.yaml"));
    if (router.role !== "router") throw new Error("an example is of another role");
    const ports = router.signalling.servers.map(({ protocol, port }) => `${protocol} ${port}`);
    expect(ports).toEqual(["udp 5060", "tcp 5060", "tcp 3288", "tcp 5045", "tcp 5046"]);
  });
});
