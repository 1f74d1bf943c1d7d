/** Asks a role over its control socket, as `sluice show` and `sluice explain` do, without starting a process for it. */
import { request } from "node:http";
import { SystemError } from "../model/errors.js";

const ANSWER_MAX = 16 * 1024 * 1024;
const PATIENCE_MS = 10_000;

/** @param target - such as `/v1/show/policies`. @throws SystemError if the role does not answer with JSON and 200 */
export function controlRequest(socketPath: string, target: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const failed = (why: string): void => reject(new SystemError("LAB_CONTROL", `${socketPath} ${target}: ${why}`));
    const asked = request({ socketPath, path: target, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        body += part;
        if (body.length > ANSWER_MAX) asked.destroy(new Error("the answer is too long"));
      });
      response.on("error", (error) => failed(error.message));
      response.on("end", () => {
        if (response.statusCode !== 200) return failed(`status ${response.statusCode}`);
        try {
          resolve(JSON.parse(body));
        } catch {
          failed("the answer is not JSON");
        }
      });
    });
    asked.setTimeout(PATIENCE_MS, () => asked.destroy(new Error("no answer in time")));
    asked.on("error", (error) => failed(error.message));
    asked.end();
  });
}
