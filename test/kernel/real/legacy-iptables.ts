/** Imported first: has `iptables` mean iptables-legacy in this process, as the system's alternatives would. */
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { afterAll } from "vitest";

const directory = mkdtempSync("/tmp/sluice-legacy-");
for (const tool of ["iptables", "ip6tables"]) {
  for (const verb of ["", "-restore", "-save"]) {
    symlinkSync("/usr/sbin/xtables-legacy-multi", `${directory}/${tool}${verb}`);
  }
}
process.env.PATH = `${directory}:${process.env.PATH ?? ""}`;
afterAll(() => rmSync(directory, { recursive: true }));
