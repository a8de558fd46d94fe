ARCHITECTURE = arm64
GOARCH = arm64
PLATFORM = aarch64-unknown-linux-gnu
include ../check.mk
