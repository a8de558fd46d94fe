# SAM tells a Makefile no architecture. But it resolves the template's WorkingDirectory, and so it
# runs make in the folder of the architecture that is built.
ROOT = ../../..
VENV = $(ROOT)/.venv/bin

# the harness's tools: uv, and the check of a package
define tools
@test -x $(VENV)/python || $(MAKE) --directory $(ROOT) .venv/made
endef

# A package that can't run on Lambda never leaves the build.
define check
PYTHONPATH=$(ROOT) $(VENV)/python -m harness.build.package_check "$(ARTIFACTS_DIR)" \
	$(ARCHITECTURE) $(subst build-,,$@)
endef
