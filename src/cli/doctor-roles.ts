/** The health of the roles that run here, asked through their control sockets. */
import { existsSync } from "node:fs";
import { z } from "zod";
import type { RoleConfig } from "../config/load.js";
import type { Finding } from "../daemon/preflight.js";
import { SystemError } from "../model/errors.js";
import { bitsPerSecond } from "../model/units.js";
import { showRate } from "./format.js";
import { askAll, findSockets, type RoleAnswer, type TargetOptions } from "./roles.js";

const healthSchema = z.object({
  status: z.string(),
  problems: z.array(z.string()),
  warnings: z.array(z.string()).default([]),
});
const kernelSchema = z.object({
  classes: z.array(z.object({ interface: z.string(), kind: z.string(), rate: z.number() })),
});

/** Sockets that were named, else that of the configuration, else all in the directory. */
export async function examineRoles(
  options: TargetOptions,
  config: RoleConfig | undefined,
): Promise<readonly Finding[]> {
  const sockets = socketsOf(options, config);
  if (sockets.length === 0) {
    const what = "no role is running here";
    return [{ id: "role.running", severity: "note", what, why: "", remedy: "sluice run ROLE -c FILE", detail: "" }];
  }
  const { answers, failures } = await askAll(sockets, "/v1/health");
  const kernels = await askAll(
    answers.map(({ socket }) => socket),
    "/v1/show/kernel",
  );
  return [...answers.flatMap(healthFindings), ...failures.map(silence), ...kernels.answers.flatMap(promiseFindings)];
}

function socketsOf(options: TargetOptions, config: RoleConfig | undefined): readonly string[] {
  if (config !== undefined && (options.socket?.length ?? 0) === 0) {
    return existsSync(config.control) ? [config.control] : [];
  }
  try {
    return findSockets(options);
  } catch (error) {
    if (error instanceof SystemError) return [];
    throw error;
  }
}

type Health = z.output<typeof healthSchema>;

function healthFindings({ role, value }: RoleAnswer): readonly Finding[] {
  const health = healthSchema.safeParse(value).data;
  return [healthFinding(role, health), ...(health?.warnings ?? []).map((warning) => warningFinding(role, warning))];
}

function healthFinding(role: string, health: Health | undefined): Finding {
  const id = "role.health";
  if (health?.status === "ok") {
    return { id, severity: "ok", what: `role ${role} is well`, why: "", remedy: "", detail: "" };
  }
  return {
    id,
    severity: "warning",
    what: `role ${role}: ${health === undefined ? "no health told" : [health.status, ...health.problems].join("; ")}`,
    why: "sessions may be refused or treated as best effort until it is well",
    remedy: `journalctl -u sluice-${role} -n 50`,
    detail: "",
  };
}

/** It is well as long as nothing more happens. */
function warningFinding(role: string, warning: string): Finding {
  return {
    id: "role.warning",
    severity: "note",
    what: `role ${role}: ${warning}`,
    why: "what is right now may soon be wrong",
    remedy: "",
    detail: "",
  };
}

function silence({ code, message, remedy }: SystemError): Finding {
  const isForbidden = code === "CONTROL_FORBIDDEN";
  return {
    id: "role.answers",
    severity: isForbidden ? "unknown" : "warning",
    what: message,
    why: isForbidden ? "this user may not ask it" : "a role that does not answer is dead, or stuck",
    remedy: remedy ?? "start it again",
    detail: "",
  };
}

/** What pools and signalling have been promised, on each interface, against what its link carries. */
function promiseFindings({ role, value }: RoleAnswer): readonly Finding[] {
  const classes = kernelSchema.safeParse(value).data?.classes ?? [];
  const sum = (name: string, kinds: readonly string[]): number =>
    classes.reduce((total, { interface: device, kind, rate }) => {
      return device === name && kinds.includes(kind) ? total + rate : total;
    }, 0);
  return [...new Set(classes.map((entry) => entry.interface))].flatMap((name): readonly Finding[] => {
    const link = sum(name, ["link"]);
    const promised = sum(name, ["pool", "signalling"]);
    if (promised <= link) return [];
    return [
      {
        id: "role.promised",
        severity: "warning",
        what: `role ${role} has promised ${rateText(promised)} on ${name}, which carries ${rateText(link)}`,
        why: "when all pools are full, none of them gets what its sessions were admitted for",
        remedy: `lower the pools of the policy server, or raise the rate of ${name} in kernel.interfaces`,
        detail: "pools count on every managed interface: layer 2, one direction",
      },
    ];
  });
}

const rateText = (rate: number): string => showRate(bitsPerSecond(rate));
