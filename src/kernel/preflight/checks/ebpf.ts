/** Whether the back end ebpf can work here, and what it would not see. */
import type { Check, CheckContext } from "../check.js";
import { type Finding, fault, faultsOr, fine, unseen } from "../finding.js";
import { look } from "../machine.js";
import { foreignRules, touching } from "../sources/rulebook.js";

export const EBPF = "eBPF programs at the egress of devices (tcx)";

async function checkProgram({ ebpf, subject }: CheckContext): Promise<readonly Finding[]> {
  const id = "feature.ebpf.egress";
  const { outcome, evidence } = await ebpf();
  switch (outcome) {
    case "supported":
      return [fine(id, EBPF, subject.backend === "ebpf" ? "" : "kernel.backend ebpf forwards faster than rules do")];
    case "unknown":
      return [unseen(id, EBPF, evidence, "sudo sluice doctor")];
    case "missing in kernel":
    case "missing in tool": {
      const detail = `${outcome}: ${evidence}`;
      if (subject.backend !== "ebpf") return [fine(id, `${EBPF}: not there, and not needed`, detail)];
      const why = "the back end ebpf cannot work";
      const remedy =
        outcome === "missing in tool"
          ? "npm install koffi, or set kernel.backend to nftables"
          : "set kernel.backend to nftables, or boot Linux 6.6 or later";
      return [fault({ id, severity: "error", what: `${EBPF}: ${outcome}`, why, remedy, detail: evidence })];
    }
    default:
      return outcome satisfies never;
  }
}

const NFTABLES = "set kernel.backend to nftables, whose rules see packets before that";

/** At the egress of a device everything has been done to a packet that the router does to it. */
async function checkSourceNat({ sources, subject }: CheckContext): Promise<readonly Finding[]> {
  const id = "ebpf.sourceNat";
  const book = await foreignRules(sources, subject);
  if (!book.seen) return [unseen(id, "rules that translate sources", book.reason, "sudo sluice doctor")];
  const found = touching(book.value, "sourceNat", ({ hook }) => hook === "postrouting");
  const faults = [...new Set(found.map(({ rule }) => rule.chain))].map((chain) =>
    fault({
      id,
      severity: "warning",
      what: `rules of ${chain} give packets another source`,
      why: "the back end ebpf sees packets after that: those of sessions are not recognised, nor marked, nor counted",
      remedy: NFTABLES,
    }),
  );
  return faultsOr(faults, id, "no rule gives packets another source");
}

/** Packets of such a policy leave as ESP. */
async function checkIpsec({ machine }: CheckContext): Promise<readonly Finding[]> {
  const id = "ebpf.ipsec";
  const policies = await look(machine, ["ip", "xfrm", "policy", "list", "dir", "out"], (text) =>
    text.split("\n").filter((line) => /^src /.test(line)),
  );
  if (!policies.seen) return [unseen(id, "IPsec policies", policies.reason, "sudo sluice doctor")];
  const faults = policies.value.map((selector) =>
    fault({
      id,
      severity: "warning",
      what: `an IPsec policy takes ${selector.trim()}`,
      why: "the back end ebpf sees packets encrypted: those of sessions are not recognised",
      remedy: NFTABLES,
    }),
  );
  return faultsOr(faults, id, "no IPsec policy for packets that leave");
}

const onlyFor = (run: Check["run"]): Check["run"] => {
  return async (context) => (context.subject.backend === "ebpf" ? run(context) : []);
};

export const ebpfChecks: readonly Check[] = [
  { name: "feature.ebpf.egress", run: checkProgram },
  { name: "ebpf.sourceNat", run: onlyFor(checkSourceNat) },
  { name: "ebpf.ipsec", run: onlyFor(checkIpsec) },
];
