import { keysQuery, queryClient, type ApiKeyRow } from "@/data/queries";
import { api } from "@/net/api";

export type NewKey = ApiKeyRow & { key: string };

/** Make a key. Its value comes back this one time. `expiresIn` in seconds. */
export async function createKey(request: { name: string; prefix: string; expiresIn?: number }): Promise<NewKey> {
  const made = await api.post<NewKey>("/api/auth/api-key/create", request);
  await queryClient.invalidateQueries({ queryKey: keysQuery().queryKey });
  return made;
}

export async function deleteKey(keyId: string): Promise<void> {
  await api.post("/api/auth/api-key/delete", { keyId });
  await queryClient.invalidateQueries({ queryKey: keysQuery().queryKey });
}
