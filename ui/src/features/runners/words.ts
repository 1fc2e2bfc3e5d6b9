const PLATFORMS: Record<string, string> = { linux: "Linux", darwin: "macOS", macos: "macOS", win32: "Windows", windows: "Windows", freebsd: "FreeBSD" };

export function platformName(platform: string | null | undefined): string | undefined {
  return platform ? (PLATFORMS[platform] ?? platform) : undefined;
}
