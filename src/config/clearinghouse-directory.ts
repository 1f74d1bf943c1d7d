/** Schema of a clearinghouse's `directory`: nick names that all providers share. */
import { z } from "zod";
import { domainName, ipPrefix, socketAddress } from "./scalars.js";

const clientKeys = () =>
  z.strictObject({
    prefix: ipPrefix().describe("Addresses of the client."),
    domains: z.array(domainName()).min(1).max(256).describe("Domains whose users it may enter; others are refused."),
  });

export const directoryKeys = () =>
  z.strictObject({
    listen: socketAddress().describe("Where the directory is asked over HTTP."),
    clients: z
      .array(z.union([ipPrefix().transform((prefix) => ({ prefix, domains: undefined })), clientKeys()]))
      .min(1)
      .max(1024)
      .describe("Who may ask: prefixes, trusted with every domain, or `{prefix, domains}`."),
  });

export type DirectoryConfig = z.output<ReturnType<typeof directoryKeys>>;
