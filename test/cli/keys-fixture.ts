export const KEY = /^nl_[0-9a-f]{16}_[\w-]{51}\n$/;
export const headersOf = (key: string) => ({ Authorization: `Bearer ${key.trim()}` });
