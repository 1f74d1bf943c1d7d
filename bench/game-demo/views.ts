/** Reads what roles and portals answer about the game's session, from outside: each field is checked. */
import { classSnapshot, flowSnapshot } from "../../src/lab/demo/views.js";
import type { Lab } from "../../src/lab/lab.js";
import { fieldIn, listIn, numberIn } from "../pools-demo/views.js";
import type { PaidRecord, PathFigures, RouterEvidence, ServerSession } from "./evidence.js";

const textIn = (item: unknown, name: string): string => String(fieldIn(item, name));

/** Of the sessions that a policy server holds. */
export async function serverSessions(lab: Lab, server: string): Promise<readonly ServerSession[]> {
  const sessions = await lab.ask(server, "/v1/show/sessions");
  return sessions.flatMap((session) =>
    listIn(session, "grants").map((grant) => ({
      server,
      state: textIn(session, "state"),
      result: textIn(grant, "result"),
      sessionClass: textIn(grant, "sessionClass"),
      phb: textIn(grant, "phb"),
      toCallee: numberIn(grant, "toCallee"),
      toCaller: numberIn(grant, "toCaller"),
    })),
  );
}

export async function pathFigures(lab: Lab, server: string): Promise<readonly PathFigures[]> {
  const paths = await lab.ask(server, "/v1/show/quality");
  return paths.map((path) => ({
    server,
    pool: textIn(path, "pool"),
    direction: textIn(path, "direction"),
    samples: numberIn(path, "samples"),
    latency: numberIn(path, "latency"),
    jitter: numberIn(path, "jitter"),
    loss: numberIn(path, "loss"),
  }));
}

export async function routerEvidence(lab: Lab, router: string): Promise<RouterEvidence> {
  const [policies, kernel] = await Promise.all([
    lab.ask(router, "/v1/show/policies"),
    lab.ask(router, "/v1/show/kernel"),
  ]);
  const names = kernel.flatMap((view) => listIn(view, "classes").map(nameOf));
  const classes = kernel.flatMap(classSnapshot).map((found, index) => ({ ...found, name: names[index] ?? found.kind }));
  return { router, flows: policies.map(flowSnapshot), classes };
}

const nameOf = (found: unknown): string =>
  fieldIn(found, "kind") === "pool" ? `pool ${textIn(found, "pool")}` : textIn(found, "kind");

/** @param answer - of the portal's `/api/records` */
export function paidRecords(user: string, answer: unknown): readonly PaidRecord[] {
  return listIn(answer, "records").map((record) => {
    const price = fieldIn(record, "price");
    return {
      user,
      session: textIn(record, "session"),
      sessionClass: textIn(record, "class"),
      seconds: Math.round(numberIn(record, "seconds") * 10) / 10,
      octetsIn: numberIn(record, "octetsIn"),
      octetsOut: numberIn(record, "octetsOut"),
      outOfProfile: numberIn(record, "outOfProfile"),
      price: price === null ? "" : `${textIn(price, "amount")} ${textIn(price, "currency")}`,
      shares: listIn(record, "shares").map((share) => ({
        provider: textIn(share, "provider"),
        amount: textIn(share, "amount"),
      })),
    };
  });
}
