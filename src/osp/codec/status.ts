/** Status codes (TS 101 321): three digits, success is 200..299. They ride in an HTTP 200. */

export interface Status {
  readonly code: number;
  readonly description?: string | undefined;
}

export const STATUS = {
  success: { code: 200, description: "success" },
  badRequest: { code: 400, description: "bad request" },
  unauthorised: { code: 401, description: "unauthorised" },
  routeBlocked: { code: 403, description: "route blocked" },
  noRoute: { code: 404, description: "no route" },
  mayNotOriginate: { code: 405, description: "may not originate" },
  encodingUnsupported: { code: 410, description: "character encoding unsupported" },
  parseFailed: { code: 411, description: "parse failed" },
  unsupportedCritical: { code: 412, description: "unsupported critical element" },
  securityProblem: { code: 420, description: "security problem" },
  signatureInvalid: { code: 421, description: "signature invalid" },
  certificateInvalid: { code: 423, description: "certificate invalid" },
  callingInvalid: { code: 428, description: "calling party invalid" },
  rateExceeded: { code: 441, description: "call rate exceeded" },
  destinationInvalid: { code: 489, description: "destination invalid" },
  internal: { code: 500, description: "internal error" },
  unimplemented: { code: 501, description: "not implemented" },
  unavailable: { code: 503, description: "unavailable" },
  timeProblem: { code: 530, description: "time problem" },
} as const satisfies Record<string, Status>;

export const isSuccess = (status: Status): boolean => status.code >= 200 && status.code <= 299;

/** A standard status with a sentence of its own. */
export const statusOf = (status: Status, description: string): Status => ({ code: status.code, description });
