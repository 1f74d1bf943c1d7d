/** Which tariff a session has. Plain data, as the configuration gives it. */
import type { Tariff } from "../osp/tariff.js";

/** `*` stands for any, also for what was not said. */
export interface PriceRule {
  /** Service class that the caller's policy server asked for. */
  readonly class: string;
  /** Domains of the caller and of the callee. */
  readonly from: string;
  readonly to: string;
  readonly tariff: Tariff;
}

export class PriceBook {
  readonly #rules: readonly PriceRule[];

  constructor(rules: readonly PriceRule[]) {
    this.#rules = rules;
  }

  /** Of the first rule that fits. */
  tariffOf(serviceClass: string | undefined, from: string | undefined, to: string | undefined): Tariff | undefined {
    const fits = (pattern: string, value: string | undefined): boolean => pattern === "*" || pattern === value;
    return this.#rules.find((rule) => fits(rule.class, serviceClass) && fits(rule.from, from) && fits(rule.to, to))
      ?.tariff;
  }
}
