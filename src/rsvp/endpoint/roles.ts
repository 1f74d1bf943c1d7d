/** What a message is for reliable delivery: its role, and the state that it is about. */
import { unreachable } from "../../model/errors.js";
import type { IpAddress } from "../../model/ip.js";
import { filterKey, sessionKey } from "../codec/keys.js";
import type { SessionMessage } from "../codec/message.js";
import type { FilterSpec } from "../codec/objects.js";
import type { MessageRole } from "../reliability/rules.js";

export interface MessageAbout {
  readonly role: MessageRole;
  readonly key: string;
}

/** For the sender, who tells each previous hop one reservation for a session. */
export function sentAbout(message: SessionMessage, destination: IpAddress): MessageAbout {
  switch (message.kind) {
    case "Path":
      return { role: "state", key: pathKey(message.session, message.sender.template) };
    case "PathTear":
      return { role: "tear", key: pathKey(message.session, message.template) };
    case "Resv":
      return { role: "state", key: resvKey(message.session, destination) };
    case "ResvTear":
      return { role: "tear", key: resvKey(message.session, destination) };
    case "PathErr":
    case "ResvErr":
    case "ResvConf":
      return NOTICE;
    default:
      return unreachable(message, "sentAbout");
  }
}

/** For the receiver, whose neighbour may send several reservations for a session in messages of their own. */
export function receivedAbout(message: SessionMessage): MessageAbout {
  const { kind } = message;
  if (kind !== "Resv" && kind !== "ResvTear") return sentAbout(message, "");
  const { flows, session } = message;
  const filters = filtersOf(flows).map(filterKey).sort().join(",");
  return { role: kind === "Resv" ? "state" : "tear", key: `Resv ${sessionKey(session)}|${flows.style}|${filters}` };
}

/** The key of what was sent and came to a PathErr or ResvErr; `from` is the neighbour that says so. */
export function erredKey(message: SessionMessage, from: IpAddress): string | undefined {
  if (message.kind === "PathErr") return pathKey(message.session, message.sender.template);
  return message.kind === "ResvErr" ? resvKey(message.session, from) : undefined;
}

const NOTICE: MessageAbout = { role: "notice", key: "" };

type Flows = Extract<SessionMessage, { kind: "Resv" | "ResvTear" }>["flows"];

function filtersOf(flows: Flows): readonly FilterSpec[] {
  if (flows.style === "WF") return [];
  return "flows" in flows ? flows.flows.map(({ filter }) => filter) : flows.filters;
}

const pathKey = (session: SessionMessage["session"], template: FilterSpec): string =>
  `Path ${sessionKey(session)}|${filterKey(template)}`;

const resvKey = (session: SessionMessage["session"], to: IpAddress): string => `Resv ${sessionKey(session)}|${to}`;
